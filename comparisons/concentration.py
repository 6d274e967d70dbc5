"""Count the components that stay occupied under each Dirichlet concentration, by mean field and by Gibbs sampling.

With more components than the data need, a Dirichlet concentration well below 1 empties the superfluous ones. (The bound
is half the number of parameters of a component, by Rousseau & Mengersen 2011; mean field has a bound of its own, see
:mod:`em.variational`.) A large concentration gives all components equal weights.

A component is occupied in a draw of labels z if at least one sample has its label. Gibbs draws of z give the posterior
of the number of occupied components. Mean field gives a single number: it counts components whose expected number of
samples is at least 1/2.

Under a small concentration the Gibbs sampler rarely fills an empty component again. The probabilities are rough then;
the R-hat of log-likelihood, weights and number of occupied components shows it, and more draws are needed.

From the command line: ``python -m comparisons.concentration --data faithful --components 6``.

References
----------
Rousseau & Mengersen (2011), Asymptotic behaviour of the posterior distribution in overfitted mixture models, JRSS B 73,
689-710.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import ArrayLike

from comparisons.comparison.command import DATA, flags_of_any_family, show_table
from comparisons.comparison.problem import FLAGS, prepare, split
from comparisons.family import Family
from comparisons.output.console import unmixed_note
from comparisons.output.flags import takes
from models.tables import Tabular, rows_of, table_lines
from models.validation import Array, count_at_least, real_numbers

SWEEP = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
SIZES = {"draws": 500, "tune": 500, "chains": 4, "n_init": 10, "random_state": 0}


def n_occupied(z: ArrayLike, n_components: int) -> Array:
    """Return p(j components are occupied | X) for j = 0, ..., K, from draws of labels.

    Parameters
    ----------
    z : array_like of int, shape (..., n)
        Labels from 0 to K - 1, such as ``gibbs(X, K, prior)["z"]``.
    n_components : int
        Number of components K.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.concentration import n_occupied
    >>> n_occupied(np.array([[0, 0, 2], [1, 1, 1]]), 3).tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    z = real_numbers("z", z)
    if z.dtype.kind not in "iu" or not ((z >= 0) & (z < n_components)).all():
        raise ValueError(
            f"z must hold integer labels from 0 to {n_components - 1}, got {z.min()} to {z.max()} of {z.dtype}"
        )
    occupied = _n_occupied(z, n_components)
    return np.bincount(np.ravel(occupied), minlength=n_components + 1) / np.size(occupied)


def _n_occupied(z: np.ndarray, n_components: int) -> np.ndarray:
    """Return the number of occupied components of label vectors (..., n)."""
    return np.sum([(z == k).any(axis=-1) for k in range(n_components)], axis=0)


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Tabular):
    """The result under each concentration; printing it shows the table.

    Attributes
    ----------
    concentrations : ndarray, shape (C,)
        The concentrations.
    n_occupied : ndarray, shape (C, K + 1)
        Posterior of the number of occupied components, by Gibbs sampling.
    n_mean_field : ndarray of int, shape (C,)
        Number of occupied components by mean field.
    weights, mean_field_weights : ndarray, shape (C, K)
        Posterior means of the weights, sorted in each draw, largest first; and mean field's means, sorted.
    rhat : ndarray, shape (C,)
        Largest R-hat of the Gibbs sampler's log-likelihood, sorted weights, their entropy and number of occupied
        components.
    """

    concentrations: Array
    n_occupied: Array
    n_mean_field: np.ndarray
    weights: Array
    mean_field_weights: Array
    rhat: Array

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row per concentration: mean field's number of occupied components, Gibbs sampling's posterior, R-hat."""
        shares = {f"p({j})": column for j, column in enumerate(self.n_occupied.T) if j}
        columns = {"concentration": self.concentrations, "mean_field": self.n_mean_field, **shares, "rhat": self.rhat}
        return rows_of(columns)

    def __repr__(self) -> str:
        """The table as plain text."""
        K = self.weights.shape[1]
        heads = ["concentration", "mean field", *(f"p({j})" for j in range(1, K + 1)), "R-hat"]
        columns = (self.concentrations, self.n_mean_field, self.n_occupied, self.rhat)
        rows = [
            [f"{a:g}", str(count), *(f"{p:.3f}" for p in shares[1:]), f"{rhat:.3f}"]
            for a, count, shares, rhat in zip(*columns, strict=True)
        ]
        head = "occupied components: mean field's, and the posterior of their number by Gibbs sampling"
        note = unmixed_note([f"{a:g}" for a in self.concentrations], self.rhat, "", "probabilities are")
        return "\n".join([*table_lines([heads, *rows], "r" * len(heads)), head, *note])

    def plot(self) -> Any:
        """Draw sorted weights and the number of occupied components against the concentration; return the figure."""
        import matplotlib.pyplot as plt

        fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
        for k in range(self.weights.shape[1]):
            left.semilogx(self.concentrations, self.weights[:, k], "o-", color=f"C{k}", markersize=4)
            left.semilogx(self.concentrations, self.mean_field_weights[:, k], "x--", color=f"C{k}")
        left.plot([], [], "ko-", label="Gibbs sampling")
        left.plot([], [], "kx--", label="mean field")
        left.set(xlabel="concentration", ylabel="weights, sorted", ylim=(0, 1))
        left.legend()
        K, at = self.weights.shape[1], np.arange(len(self.concentrations))
        image = right.imshow(self.n_occupied[:, 1:].T, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=1)
        right.plot(at, self.n_mean_field - 1, "x", color="#c1272d", label="mean field")
        right.set_xticks(at, [f"{a:g}" for a in self.concentrations])
        right.set_yticks(np.arange(K), [str(j) for j in range(1, K + 1)])
        right.set(xlabel="concentration", ylabel="occupied components")
        right.legend(loc="lower right")  # empty: strong priors occupy all components
        fig.colorbar(image, ax=right, label="posterior probability")
        return fig


def sweep(
    X: ArrayLike,
    family: str | Family,
    n_components: int,
    concentrations: Iterable[float] = SWEEP,
    prior: Any = None,
    *,
    progress: bool = True,
    **settings: Any,
) -> Sweep:
    """Fit an overfitted mixture under each concentration, by mean field and by Gibbs sampling.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples; of a Gaussian mixture with no missing cell.
    family : str or Family
        Name of the family, such as "gmm" or "bmm", or a family with its options.
    n_components : int
        Number of components K, more than the data need.
    concentrations : iterable of float
        Dirichlet concentrations of each component.
    prior : prior of the family or None
        A conjugate prior, whose concentration is replaced. ``None`` takes the family's weakly informative one.
    progress : bool, default True
        Whether to show a progress bar on a terminal or in a notebook.
    **settings
        ``draws`` (500), ``tune`` (500) and ``chains`` (4): kept and warm-up sweeps of the Gibbs sampler, and number of
        chains, at least 2; ``n_init`` (10), restarts of mean field; ``random_state`` (0), the seed; and, if the family
        is given by its name, its options: ``covariance_type`` of "gmm", ``n_trials`` of "bmm".

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.concentration import sweep
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> table = sweep(X, "gmm", 4, [0.01, 1000], draws=250, n_init=2)
    >>> table.n_mean_field.tolist(), table.n_occupied.argmax(axis=1).tolist()
    ([2, 4], [2, 4])
    """
    from comparisons.alignment.mixing import extremes, label_free
    from em.gibbs import gibbs
    from em.process.blas import one_blas_thread
    from em.process.progress import track
    from em.variational import variational

    values = np.array(list(concentrations), dtype=np.float64)
    if not len(values) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"concentrations must be positive numbers, at least one, got {values.tolist()}")
    sizes, options = split(settings, SIZES)
    n_init, seed = sizes.pop("n_init"), sizes["random_state"]
    problem = prepare(X, family, n_components, prior, needs_map=False, n_init=n_init, random_state=seed, **options)
    pair = problem.family
    if problem.n_missing and not pair.conjugate_with_missing:
        raise ValueError(f"X must have no missing cell in a {pair.title}, got NaN")
    for name, least in [("draws", 4), ("chains", 2)]:  # R-hat needs these
        count_at_least(name, sizes[name], least)
    K, rows = n_components, []
    with one_blas_thread():
        for a in track(values.tolist(), "Sweep of the concentration", progress):
            under = replace(problem.prior, concentration=a)
            drawn = gibbs(problem.X, K, under, **pair.of_conjugate, **sizes)
            q = variational(problem.X, K, under, n_init=n_init, random_state=seed, **pair.of_conjugate)
            weights, of_mean_field = (np.sort(w)[..., ::-1] for w in (drawn["weights"], q.mean["weights"]))
            n_mean_field = int((q.responsibilities.sum(axis=0) >= 0.5).sum())
            quantities = label_free(drawn, drawn["log_likelihood"])
            rhat, _ = extremes({**quantities, "n_occupied": _n_occupied(drawn["z"], K)})
            rows.append((n_occupied(drawn["z"], K), n_mean_field, weights.mean(axis=(0, 1)), of_mean_field, rhat))
    return Sweep(values, *(np.array(column) for column in zip(*rows, strict=True)))


@takes(*flags_of_any_family("random_state"), replace(FLAGS["draws"], default=SIZES["draws"]))
def main(
    data: Annotated[str, typer.Option(help=f"{DATA}.")] = "faithful",
    components: Annotated[int, typer.Option(help="Number of components, more than are needed.")] = 6,
    out: Annotated[Path, typer.Option(help="Folder for the figure.")] = Path("results"),
    **options: Any,
) -> None:
    """Sweep the Dirichlet concentration from 0.01 to 10,000 and show which components stay occupied.

    Exit code 0, or 2 for bad input.
    """
    make = partial(sweep, n_components=components)
    show_table("concentration", data, out, options, make, f", K = {components}")


if __name__ == "__main__":
    typer.run(main)
