"""How many components does the concentration let live? Mean field and Gibbs sampling over a sweep of it.

With more components than the data need, a Dirichlet concentration well below 1 empties the superfluous ones (Rousseau &
Mengersen 2011: below half the number of parameters of a component; mean field has its own border in
:mod:`em.variational`), and a large one gives every component its equal share. A component is occupied in a draw of
labels z if a sample has its label; Gibbs draws of z give the posterior of the number of occupied components. Mean field
has one answer: a component counts where its expected number of samples is at least 1/2. Where the concentration is
small the Gibbs sampler rarely fills an empty component again: the table's probabilities are then rough, which its R-hat
says (of log-likelihood, weights and number of occupied components), and longer or more chains are needed for more.

From the command line: ``python -m comparisons.concentration --data faithful --components 6``.

References
----------
Rousseau & Mengersen (2011), Asymptotic behaviour of the posterior distribution in overfitted mixture models, JRSS B 73,
689-710.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import ArrayLike

from comparisons.alignment.component_draws import SAMPLE
from comparisons.alignment.mixing import MAX_RHAT, extremes, label_free
from comparisons.comparison import prepare
from comparisons.comparison.command import bad_input_exits
from comparisons.comparison.report import show
from comparisons.data import find
from comparisons.family import FamilyName
from comparisons.output.files import check_writable, file_name
from em.gibbs import gibbs
from em.process.blas import one_blas_thread
from em.process.progress import track
from em.variational import variational
from models.gmm.structures import CovarianceType
from models.validation import Array, count_at_least, real_numbers

SWEEP = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)


def n_occupied(z: ArrayLike, n_components: int) -> Array:
    """Return p(j components have samples | X), j = 0, ..., K, from draws of labels.

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
    """Return the number of components that have samples, of label vectors (..., n)."""
    return np.sum([(z == k).any(axis=-1) for k in range(n_components)], axis=0)


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """What each concentration led to; printing it shows the table.

    Attributes
    ----------
    concentrations : ndarray, shape (C,)
        What was tried.
    n_occupied : ndarray, shape (C, K + 1)
        Posterior of the number of occupied components, by Gibbs sampling.
    n_mean_field : ndarray of int, shape (C,)
        Components that mean field expects to have samples.
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

    def __repr__(self) -> str:
        """The table as plain text."""
        K = self.weights.shape[1]
        heads = ["concentration", "mean field", *(f"p({j})" for j in range(1, K + 1)), "R-hat"]
        columns = (self.concentrations, self.n_mean_field, self.n_occupied, self.rhat)
        rows = [
            [f"{a:g}", str(count), *(f"{p:.3f}" for p in shares[1:]), f"{rhat:.3f}"]
            for a, count, shares, rhat in zip(*columns, strict=True)
        ]
        widths = [max(len(row[j]) for row in [heads, *rows]) for j in range(len(heads))]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [heads, *rows]
        ]
        told = ["occupied components: mean field's, and the posterior of their number by Gibbs sampling"]
        if (unmixed := ~(self.rhat <= MAX_RHAT)).any():
            where = ", ".join(f"{a:g}" for a in self.concentrations[unmixed])
            told += [
                f"R-hat above {MAX_RHAT} or unknown at {where}: probabilities are rough there, and want more draws"
            ]
        return "\n".join([*lines, *told])

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
        right.legend(loc="lower right")  # where strong priors leave nothing
        fig.colorbar(image, ax=right, label="posterior probability")
        return fig


def sweep(
    X: ArrayLike,
    family: str,
    n_components: int,
    concentrations: Iterable[float] = SWEEP,
    prior: Any = None,
    *,
    n_trials: ArrayLike = 1,
    covariance_type: str = "full",
    draws: int = 500,
    tune: int = 500,
    chains: int = 4,
    n_init: int = 10,
    random_state: int = 0,
    progress: bool = False,
) -> Sweep:
    """Fit an overfitted mixture under each concentration, by mean field and by Gibbs sampling.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples; of a Gaussian mixture with no missing cell.
    family : {"gmm", "bmm"}
        Gaussian, or Bernoulli/binomial mixture.
    n_components : int
        Number of components K, more than the data need.
    concentrations : iterable of float
        Dirichlet concentrations of each component.
    prior : GMMPrior, BMMPrior or None
        The rest of the prior, conjugate; its own concentration does not count. ``None`` takes the family's weakly
        informative one.
    n_trials : int or array_like, shape (D,) or (n, D)
        Trials per cell, for "bmm".
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances, for "gmm".
    draws, tune, chains : int
        Sweeps of the Gibbs sampler kept and not kept, and number of chains, 2 or more.
    n_init : int
        Restarts of mean field.
    random_state : int
        Seed; the same seed gives the same answer.
    progress : bool
        Whether to show a bar.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.concentration import sweep
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> found = sweep(X, "gmm", 4, [0.01, 1000], draws=250, n_init=2)
    >>> found.n_mean_field.tolist(), found.n_occupied.argmax(axis=1).tolist()
    ([2, 4], [2, 4])
    """
    values = np.array(list(concentrations), dtype=np.float64)
    if not len(values) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"concentrations must be positive numbers, at least one, got {values.tolist()}")
    found = prepare(
        X,
        family,
        n_components,
        prior,
        n_trials=n_trials,
        covariance_type=covariance_type,
        n_init=n_init,
        needs_map=False,
    )
    if family == "gmm" and found.n_missing:
        raise ValueError("X must have no missing cell in a Gaussian mixture, got NaN")
    for name, value, least in [("draws", draws, 4), ("chains", chains, 2)]:  # R-hat wants no fewer
        count_at_least(name, value, least)
    K, trials = n_components, getattr(found.family, "n_trials", 1)
    occupied, counts, weights, of_mean_field, rhats = [], [], [], [], []
    with one_blas_thread():
        for a in track(values.tolist(), "Sweep of the concentration", progress):
            under = replace(found.prior, concentration=a)
            drawn = gibbs(
                found.X, K, under, n_trials=trials, draws=draws, tune=tune, chains=chains, random_state=random_state
            )
            q = variational(found.X, K, under, n_trials=trials, n_init=n_init, random_state=random_state)
            occupied.append(n_occupied(drawn["z"], K))
            weights.append(np.sort(drawn["weights"])[..., ::-1].mean(axis=(0, 1)))
            counts.append(int((q.responsibilities.sum(axis=0) >= 0.5).sum()))
            of_mean_field.append(np.sort(q.mean["weights"])[::-1])
            free = label_free(drawn, drawn["log_likelihood"])
            rhats.append(extremes(free.assign(n_occupied=(SAMPLE, _n_occupied(drawn["z"], K))))[0])
    found_at = (np.array(column) for column in (occupied, counts, weights, of_mean_field, rhats))
    return Sweep(values, *found_at)


def main(
    data: Annotated[str, typer.Option(help="A built-in name, or a CSV file with a header.")] = "faithful",
    family: Annotated[FamilyName | None, typer.Option(help="Of a file of your own: which mixture.")] = None,
    trials: Annotated[int, typer.Option(help="Trials per cell of your own count data (bmm).")] = 1,
    components: Annotated[int, typer.Option(help="Number of components, more than are needed.")] = 6,
    covariance: Annotated[CovarianceType, typer.Option(help="Structure of the covariances (gmm).")] = "full",
    draws: Annotated[int, typer.Option(help="Sweeps of the Gibbs sampler kept in each chain.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the figure.")] = Path("results"),
) -> None:
    """Sweep the Dirichlet concentration from 0.01 to 10,000 and show which components stay occupied.

    Exit code 0, or 2 for bad input.
    """
    with bad_input_exits():
        dataset = find(data, family, trials)
        folder = check_writable(out)
        found = sweep(
            dataset.X,
            dataset.family,
            components,
            n_trials=dataset.n_trials,
            covariance_type=covariance,
            draws=draws,
            random_state=seed,
            progress=True,
        )
    show(found, folder / file_name(f"concentration-{dataset.name}", ".png"), f"{dataset.name}, K = {components}")


if __name__ == "__main__":
    typer.run(main)
