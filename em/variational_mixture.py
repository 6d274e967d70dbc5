"""Mean-field variational inference as an estimator like the others; the mathematics is in :mod:`em.variational`."""

from collections.abc import Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from em.bound import normalise
from em.chunked import is_chunked
from em.chunked.predictions import sums_of
from em.chunked.samples import check_header
from em.families import conjugate_mixture
from em.predictions import Predictions
from em.reports.summary import Summary, summary_of
from em.sizes import takes_sizes
from em.uncertainty import Uncertainty
from em.uncertainty.entries import Entries, entries_of
from em.variational import VariationalPosterior, variational
from models.parameters import Labels, Parameters
from models.validation import Array, number_between

METHODS = "predict", "predict_proba", "score_samples", "score", "summary", "assignments", "report"
N_DRAWS = 10_000


@dataclass(eq=False, repr=False)
class VariationalMixture(Predictions):
    """Mixture whose posterior is approximated by q(z) q(θ); the prior determines its family.

    Labels come from q(z); densities are log p(x | θ) at the posterior mean of θ.

    Parameters
    ----------
    n_components : int, default 1
        Number of components K, or the largest number if the concentration is below 1.
    prior : MixturePrior
        A conjugate prior; it determines the family and the structure of the covariances.
    n_init, init, tol, max_iter, random_state
        As in :func:`em.variational.variational`.

    Attributes
    ----------
    posterior_ : VariationalPosterior
        q, as :func:`em.variational.variational` returns it.
    parameters_ : Parameters
        Posterior mean under q; each quantity of the family is an attribute too, such as ``weights_`` or ``means_``.
    lower_bound_ : float
        Evidence lower bound, in nats: at most log p(X).
    history_, converged_, n_iter_, status_
        Bound at the start and after each iteration; how the best restart ended.

    Raises
    ------
    ValueError
        If the prior is not conjugate, an argument or X is not legal, or a parameter has no mean under q.

    Notes
    -----
    There is no ``bic``, which is defined at the maximum of the likelihood. Compare fits by ``lower_bound_``.

    Examples
    --------
    >>> import numpy as np
    >>> from em import VariationalMixture
    >>> from models.gmm import GMMPrior
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> prior = GMMPrior(0.01, mean=[5.0], mean_precision=0.01, degrees_of_freedom=3.0, scale=[[1.0]])
    >>> fit = VariationalMixture(4, prior=prior, n_init=2, random_state=0).fit(X)
    >>> np.sort(fit.weights_).round(2)  # two are emptied
    array([0. , 0. , 0.4, 0.6])
    """

    n_components: int = 1
    _: KW_ONLY
    prior: Any = None
    n_init: int = 10
    init: Any = None
    tol: float = 1e-8
    max_iter: int = 10_000
    random_state: Any = None

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that the prior's family decides what X may hold."""
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        return tags

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None, **size: Any) -> Self:
        """Approximate the posterior by q.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            Samples. A missing count (NaN) is legal; a missing Gaussian cell is not.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            How often each row occurs; a row of weight 0 is left out of the fit.
        **size
            Sizes of the cells, if the family has sizes, such as ``n_trials``: a number, (D,) or (n, D). The methods
            take sizes of new rows by the same name; by default those given here, if they are the same in all rows.
        """
        settings = {name: getattr(self, name) for name in ("n_init", "init", "tol", "max_iter", "random_state")}
        q = variational(X, self.n_components, self.prior, **settings, sample_weight=sample_weight, **size)
        check_header(self, X, reset=True)
        if nowhere := [name for name, array in q.mean.items() if np.isnan(array).any()]:
            raise ValueError(
                f"prior must give every parameter a mean under q, got none for {', '.join(nowhere)}: raise its "
                "degrees_of_freedom above D + 1, or call em.variational.variational"
            )
        self.posterior_: VariationalPosterior = q
        self.parameters_: Parameters = q._mixture.parameters(q.mean)
        for name, array in self.parameters_.arrays().items():
            setattr(self, f"{name}_", array)
        self.lower_bound_, self.history_, self.converged_ = q.elbo, q.history, q.converged
        self.n_iter_, self.status_ = len(q.history) - 1, q.status
        return self

    def uncertainty(self, *, level: float = 0.95) -> Uncertainty:
        """Return means, standard deviations and intervals of the parameters under q as one table.

        Parameters
        ----------
        level : float, default 0.95
            Probability of each interval under q, from quantiles of 10,000 draws.
        """
        check_is_fitted(self)
        number_between("level", level, 0, 1)
        entries, q = self._entries(np.inf), self.posterior_
        draws = entries.of(q.draw(N_DRAWS, random_state=0))
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=1)
        sd, status = entries.of(q.standard_deviation), "q knows nothing of the dependence of labels and parameters"
        intervals = entries.names, entries.values, sd, low, high, entries.notes
        return Uncertainty("mean field", level, *intervals, np.atleast_2d(np.cov(draws)), None, status)

    def summary(self, X: ArrayLike, *, sample_weight: ArrayLike | None = None, uncertainty: Any = None) -> Summary:
        """Return a page about the fit, as other mixtures do, with standard deviations under q.

        Parameters
        ----------
        X : array_like, shape (n, D)
            The samples that the mixture was fitted to.
        sample_weight : array_like, shape (n,), or None
            How often each row counts.
        uncertainty : Uncertainty or None
            Result of :meth:`uncertainty`; None computes it.
        """
        return summary_of(self, X, sample_weight, self.uncertainty() if uncertainty in (None, True) else uncertainty)

    def _normalised(self, X: ArrayLike) -> tuple[Array, Array]:
        mixture = self._rows(X)
        point = {name: array[None] for name, array in self.parameters_.arrays().items()}
        responsibilities = normalise(mixture.expected_log_joint(self.posterior_.distribution))[0]
        return responsibilities, normalise(mixture.log_joint(point)[0])[1]

    def _rows(self, X: ArrayLike) -> Any:
        check_is_fitted(self)
        check_header(self, X, reset=False)
        return self.posterior_.for_rows(X, **getattr(self, "_given", {}))

    def _size_for(self, shape: tuple[int, ...]) -> Any:
        return next(iter(getattr(self, "_given", {}).values()), 1)

    def _pooled(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Any:
        if (steps := getattr(self.posterior_._mixture, "steps", None)) is None:
            return None
        return steps.most_probable(sums_of(type(self)._statistics_of_one, self, X, sample_weight), None)

    def _statistics_of_one(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Any:
        mixture = self._rows(X)
        return mixture.steps.sums(mixture.rows, self._counted(X, sample_weight)[:, None])

    def _packed(self) -> dict[str, Any]:
        """Return the attributes that a file stores differently: q as plain arrays."""
        q = self.posterior_
        X, size = q._mixture.example()
        r = None if is_chunked(q.responsibilities) else q.responsibilities
        parts = {"q": q.distribution.arrays(), "responsibilities": r, "rows": X, "size": size}
        return {"posterior_": parts}

    def _unpack(self) -> None:
        """Build q again from what `_packed` returned."""
        parts: Any = self.posterior_
        mixture = conjugate_mixture(parts["rows"], self.prior, **parts["size"])
        run = self.lower_bound_, self.history_, self.converged_, self.status_
        q = mixture.posterior(np.zeros((len(mixture.X), self.n_components)))
        self.posterior_ = VariationalPosterior(q.with_arrays(parts["q"]), parts["responsibilities"], *run, mixture)

    def _with(self, size: dict[str, Any]) -> Self:
        """Return a copy of this mixture for one call, with these sizes of cells."""
        other = copy(self)
        other._given = size
        return other

    def _encoded(self, X: Any) -> Array:
        return np.asarray(self.posterior_._mixture.encode(X))

    def _labels_for(self, names: Sequence[str] | None) -> Labels:
        return self.posterior_._mixture.labels(names)

    def _entries(self, n_samples: float) -> Entries:
        return entries_of(self.parameters_, n_samples, labels=self._labels)

    def _summary_numbers(self, log_likelihood: float, certainty: float, n: float) -> dict[str, Any]:
        return {"lower_bound": self.lower_bound_}

    @property
    def _method(self) -> str:
        return "mean field"


for _method in METHODS:
    setattr(VariationalMixture, _method, takes_sizes(getattr(VariationalMixture, _method)))
