"""Methods of a fitted mixture: imputation, sampling, criteria, standard errors. They know no family."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from em.bound import normalise
from em.chunked import is_chunked
from em.chunked.predictions import filled_chunks
from em.chunked.samples import chunked_samples
from em.engine.blocks import each_block
from em.identifiability import Identifiability
from em.predictions import Predictions
from em.samples import Samples, kept_samples
from em.samples.reading import samples_to_use
from em.uncertainty import KINDS, Uncertainty, from_information, from_replicates
from em.uncertainty.bootstrap import resampled, simulated
from em.uncertainty.laplace import LaplacePosterior, laplace_posterior
from em.uncertainty.louis import Information
from models.frames import filled_like
from models.parameters import Parameters
from models.shown import shown
from models.validation import Array, check_sample_weight, count_at_least_one, number_between, random_source


@dataclass(eq=False, repr=False)
class Settings:
    """Settings of every mixture that is fitted by EM."""

    n_components: int = 1
    _: KW_ONLY
    prior: Any = None
    n_init: int = 10
    n_starts: int | None = None
    init: Any = "k-means++"
    tol: float = 1e-8
    max_iter: int = 10_000
    frozen: Mapping[str, Any] | None = None
    acceleration: str | None = "multisecant"
    random_state: Any = None


class FittedMixture[P: Parameters](Settings, Predictions, ABC):
    """Methods of a fitted mixture that follow from its ``parameters_``; a family adds its densities."""

    n_free_parameters_: int
    parameters_: P
    identifiability_: Identifiability
    _units: Any  # set in the copies that `_in_standard_units` makes

    # What a family adds -------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def _parameters_type(self) -> type[P]:
        """Class of the parameters."""

    @abstractmethod
    def _log_joint_of(self, X: Array) -> Callable[[slice], Array]:
        """Return a function of a slice of the rows of X that returns their log p(x_i, z_i = k)."""

    @abstractmethod
    def _simulate(self, n_samples: int, random_state: Any) -> tuple[Array, np.ndarray]:
        """Draw samples and labels from the fitted mixture."""

    @abstractmethod
    def _conditional_means(self, X: Array, responsibilities: Array) -> Array:
        """Return E[x_i | observed cells of x_i] (n, D), given p(z_i | observed cells of x_i)."""

    @abstractmethod
    def _information_of(self, samples: Samples) -> Information:
        """Return the observed information at the estimate, of samples in memory or in chunks."""

    # What a user asks -----------------------------------------------------------------------------------------------

    def _normalised(self, X: ArrayLike) -> tuple[Array, Array]:
        X = samples_to_use(self, X, missing=True)
        n, log_joint = X.shape[0], self._log_joint_of(X)
        responsibilities, log_prob = np.empty((n, self.n_components)), np.empty(n)

        def put(rows: slice) -> None:
            responsibilities[rows], log_prob[rows] = normalise(log_joint(rows))

        each_block(n, put)
        return responsibilities, log_prob

    def impute(self, X: ArrayLike) -> Any:
        """Return X (n, D) with each missing cell replaced by its conditional mean given the row's observed cells.

        E[x_id | observed] = Σ_k p(z_i = k | observed) E[x_id | observed, z_i = k], the best guess under the fit.
        Imputed cells vary less than the unseen data would. A sparse X has no missing cells, and stays sparse. A pandas
        or polars frame stays one, and columns without a missing cell are unchanged. For a Dask array or DataFrame the
        result is a lazy one in the same chunks; columns whose type allows missing cells become float64.
        """
        if is_chunked(X):
            return filled_chunks(self._for_chunks(X).impute, X)
        matrix = samples_to_use(self, X, missing=True)
        if issparse(matrix):
            return matrix
        missing, means = np.isnan(matrix), self._conditional_means(matrix, self._normalised(X)[0])
        return filled_like(X, np.where(missing, means, matrix), missing)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[Array, np.ndarray]:
        """Draw samples X (n, D) and their labels z (n,) from the fitted mixture."""
        check_is_fitted(self)
        return self._simulate(n_samples, self.random_state if random_state is None else random_state)

    def bic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return -2 log-likelihood + p log n, with p free parameters; smaller is better (Schwarz 1978).

        n is the sum of the weights of rows with an observed cell; frozen parameters are not free.
        """
        return self._criteria(X, sample_weight)["bic"]

    def aic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return -2 log-likelihood + 2 p, with p free parameters; smaller is better (Akaike 1974)."""
        return self._criteria(X, sample_weight)["aic"]

    def icl(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return BIC - 2 Σ_i log max_k p(z_i = k | x_i), the integrated completed likelihood; smaller is better.

        This is -2 log p(X, ẑ) + p log n at the most probable labels ẑ, as Biernacki, Celeux & Govaert (2000) define it
        and as R's mclust computes it (mclust's sign is the opposite). McLachlan & Peel (2000, chapter 6) add twice
        the entropy of the responsibilities instead, which is never less.
        """
        return self._criteria(X, sample_weight)["icl"]

    def _criteria(self, X: ArrayLike, sample_weight: ArrayLike | None) -> dict[str, float]:
        """Return all three information criteria from one E-step."""
        return self._criteria_from(*self._sums(X, sample_weight))

    def _criteria_from(self, log_likelihood: float, certainty: float, n: float) -> dict[str, float]:
        """Return the criteria of n samples."""
        p, deviance = self.n_free_parameters_, -2 * log_likelihood
        bic = float(deviance + p * np.log(n))
        return {"aic": deviance + 2 * p, "bic": bic, "icl": bic - 2 * certainty}

    def _summary_numbers(self, log_likelihood: float, certainty: float, n: float) -> dict[str, Any]:
        return {"n_free_parameters": self.n_free_parameters_, **self._criteria_from(log_likelihood, certainty, n)}

    @property
    def _method(self) -> str:
        return "maximum likelihood" if self.prior is None else "MAP"

    # Uncertainty of the estimate --------------------------------------------------------------------------------------

    def uncertainty(
        self,
        X: ArrayLike,
        *,
        kind: str = "louis",
        level: float = 0.95,
        sample_weight: ArrayLike | None = None,
        n_bootstrap: int = 499,
        random_state: Any = None,
        progress: bool = True,
    ) -> Uncertainty:
        """Return standard errors and intervals of every parameter, in one table that names their kind.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            The samples that the mixture was fitted to.
        kind : {"louis", "bootstrap", "parametric bootstrap"}, default "louis"
            "louis" takes the observed information by Louis' identity; with a prior this is Laplace's approximation. Its
            intervals are normal on the log scale for variances, the logit scale for weights and probs, and the plain
            scale for means and covariances. The bootstraps refit samples drawn from the rows of X, or from the fitted
            mixture, and take percentile intervals. With more than 65,535 distinct rows in chunks, "bootstrap" draws all
            n samples from a random part of about 20,000.
        level : float, default 0.95
            Nominal coverage of the intervals.
        sample_weight : array_like, shape (n,), or None
            How often each row counts; whole numbers for a bootstrap.
        n_bootstrap : int, default 499
            Number of bootstrap samples.
        random_state : int, RandomState or None, default None
            Seed or source of randomness of a bootstrap; None takes the estimator's.
        progress : bool, default True
            Whether a bootstrap shows a progress bar on a terminal or in a notebook.

        Returns
        -------
        Uncertainty
            ``table``, ``standard_errors``, ``low``, ``high``, ``covariance``, ``status``.

        Raises
        ------
        ValueError
            If an argument is not legal, before any work.

        Notes
        -----
        Parameters on the boundary (probs of 0 or 1, empty components) have no standard error; the others are
        conditional on these. Parameters that are not identified have none either, and ``status`` names a free
        direction.

        Examples
        --------
        >>> from em import BernoulliMixtureEM
        >>> X = [[1]] * 36 + [[0]] * 64
        >>> BernoulliMixtureEM(1).fit(X).uncertainty(X)
        observed information (Louis), 0.95 intervals
        parameter    estimate  standard error      low     high
        weights[0]          1               -        -        -  always 1
        probs[0, 0]      0.36           0.048  0.27216  0.45834
        information of full rank 1
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {shown(kind)}")
        number_between("level", level, 0, 1)
        if count_at_least_one("n_bootstrap", n_bootstrap) < 2 and kind != "louis":
            raise ValueError(f"n_bootstrap must be at least 2 for a standard deviation, got {n_bootstrap}")
        if kind == "louis":
            of_kind = "observed information (Louis)" if self.prior is None else "Laplace approximation (Louis)"
            return from_information(self._information_of(self._samples_of(X, sample_weight)), of_kind, level)
        rng = random_source(self.random_state if random_state is None else random_state)
        seeds = rng.randint(2**31 - 1, size=n_bootstrap).tolist()
        replicate = simulated if kind == "parametric bootstrap" else resampled
        return from_replicates(*replicate(self, X, sample_weight, seeds, progress), kind, level)

    def laplace(self, X: ArrayLike, *, level: float = 0.95, sample_weight: ArrayLike | None = None) -> LaplacePosterior:
        """Return Laplace's approximation of the posterior at MAP: means, standard deviations, intervals and draws.

        It is normal after a map of the parameters to the real line, so draws are legal mixtures
        (:mod:`em.uncertainty.laplace`). X may be in chunks, which are read twice. The fewer samples per parameter, the
        worse the approximation.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            The samples that the mixture was fitted to, with a prior.
        level : float, default 0.95
            Posterior probability of the intervals.
        sample_weight : array_like, shape (n,), or None
            How often each row counts.

        Returns
        -------
        LaplacePosterior
            ``table``, ``draw(n_draws, random_state)``, and by name ``mean``, ``standard_deviation``, ``low``, ``high``.

        Raises
        ------
        ValueError
            If the mixture was fitted without a prior, or if MAP is on the boundary, not identified or no maximum.

        Examples
        --------
        >>> from em import BernoulliMixtureEM
        >>> from models.bmm import BMMPrior
        >>> X = [[1]] * 36 + [[0]] * 64  # Beta(2, 2) becomes Beta(38, 66): mean 0.3654, standard deviation 0.0470
        >>> BernoulliMixtureEM(1, prior=BMMPrior()).fit(X).laplace(X)
        Laplace's approximation about MAP, normal on the real line; 0.95 intervals
        parameter       mean        sd      low     high
        weights[0]         1         0        1        1
        probs[0, 0]  0.36668  0.047164  0.27874  0.46173
        information of full rank 1
        """
        if self.prior is None:
            raise ValueError("prior must be given to the fit, because only then is there a posterior; got None")
        number_between("level", level, 0, 1)
        return laplace_posterior(self.parameters_, self._information_of(self._samples_of(X, sample_weight)), level)

    def _samples_of(self, X: Any, sample_weight: Any) -> Samples:
        """Return a user's rows, in memory or in chunks, as samples."""
        if is_chunked(X):
            return chunked_samples(self._for_chunks(X), X, sample_weight)
        matrix = samples_to_use(self, X, missing=True)
        weights = check_sample_weight(sample_weight, matrix.shape[0])
        return kept_samples(matrix, weights, None, not issparse(matrix))

    def _keep_parameters(self, parameters: P) -> None:
        """Set ``parameters_`` and the attributes that follow from it."""
        self.parameters_ = parameters
        for name, array in parameters.arrays().items():
            setattr(self, f"{name}_", array)
        counts = parameters.n_free
        self.n_free_parameters_ = sum(n for name, n in counts.items() if name not in (self.frozen or {}))

    def at_estimate(self, rows: np.ndarray) -> Self:
        """Return an estimator for these rows of X whose fit starts at the estimate."""
        other = self.for_rows(rows).set_params(init=self.parameters_)
        other.parameters_ = self.parameters_
        return other

    def for_rows(self, rows: np.ndarray) -> Self:
        """Return an unfitted estimator of the same settings for these rows of X."""
        return clone(self)
