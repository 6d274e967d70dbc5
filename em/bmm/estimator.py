"""Bernoulli and binomial mixtures fitted by EM, in scikit-learn's manner; the steps are those of :mod:`em.bmm`."""

from collections.abc import Mapping
from typing import Any

from em.bmm import BINOMIAL, BinomialSteps
from em.exponential import ExponentialMixtureEM
from em.sizes import SizesOfRows
from models.bmm import BMMParameters, BMMPrior


class BinomialMixtureEM(SizesOfRows, ExponentialMixtureEM[BMMParameters]):
    """Binomial mixture fitted by EM: maximum likelihood, or MAP under the prior that the PyMC model takes.

    X may be any scipy.sparse matrix or array where rows have the same trials; it is never made dense, and has no
    missing cells.

    Parameters
    ----------
    n_components : int, default 1
        Number of components K.
    n_trials : int or array_like, shape (D,) or (n, D), default 1
        Number of trials of each cell. Where they differ between rows, the methods take those of new rows as an argument
        of the same name (:mod:`em.sizes`).
    prior : BMMPrior or None, default None
        ``None`` is maximum likelihood, with no hidden smoothing.
    n_init : int, default 10
        Number of restarts that are run to the end; the best one is kept.
    n_starts : int or None, default None
        Number of starts that a short run of 10 iterations tries, of which the best ``n_init`` are run to the end;
        None tries no more than are run. Neither number counts where ``init`` gives one start.
    init : str, BMMParameters or array_like of int, default "k-means++"
        "k-means++", "kmeans" or "random" (see :mod:`em.starts`), or one start: parameters, or labels (n,) for a first
        M-step.
    tol : float, default 1e-8
        Bound on the gain still to come, in nats of the whole objective (Aitken's extrapolation).
    max_iter : int, default 10000
        Largest number of iterations of each restart.
    frozen : dict or None, default None
        Values of "weights" or "probs" that are given and not estimated. Probs of 0 or 1, which a prior with successes
        or failures above 1 makes impossible, leave the objective without the density of the probs, a constant.
    acceleration : {"multisecant", "squarem", None}, default "multisecant"
        Which leaps to take where the objective allows them, if any (:mod:`em.engine`).
    random_state : int, RandomState or None, default None
        Seed or source of randomness of the restarts.

    Attributes
    ----------
    weights_, probs_ : ndarray, shapes (K,), (K, D)
        Estimates.
    parameters_ : BMMParameters
        The same in one frozen value.
    n_trials_ : int or ndarray
        The trials that `fit` was given as an argument; only there if it was.
    log_likelihood_, objective_ : float
        Sums over samples in nats, of the returned parameters; the objective adds the log prior.
    history_ : ndarray, shape (n_iter_ + 1,)
        Objective at the start and after each iteration of the best restart; an iteration is a plain step of EM or a
        leap.
    n_iter_, n_e_steps_ : int
        Iterations and E-steps of the best restart (a refused leap costs an E-step and is no iteration).
    converged_ : bool
        Whether the best restart converged.
    identifiability_ : Identifiability
        Rank of the model at the estimate, and a free direction if there is one.
    status_ : str
        A sentence: how it ended, emptied components, estimates on the boundary, free directions.

    Raises
    ------
    ValueError
        If a parameter or X is not legal; see the message.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 9.3.3.

    Examples
    --------
    >>> from em import BinomialMixtureEM
    >>> X = [[0], [1], [1], [2], [9], [10], [9], [8]]
    >>> sorted(BinomialMixtureEM(2, n_trials=10, random_state=0).fit(X).probs_.ravel().round(3).tolist())
    [0.1, 0.9]
    """

    _steps: BinomialSteps = BINOMIAL
    _parameters_type = BMMParameters

    def __init__(
        self,
        n_components: int = 1,
        *,
        n_trials: Any = 1,
        prior: BMMPrior | None = None,
        n_init: int = 10,
        n_starts: int | None = None,
        init: Any = "k-means++",
        tol: float = 1e-8,
        max_iter: int = 10_000,
        frozen: Mapping[str, Any] | None = None,
        acceleration: str | None = "multisecant",
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_components,
            prior=prior,
            n_init=n_init,
            n_starts=n_starts,
            init=init,
            tol=tol,
            max_iter=max_iter,
            frozen=frozen,
            acceleration=acceleration,
            random_state=random_state,
        )
        self.n_trials = n_trials


class BernoulliMixtureEM(ExponentialMixtureEM[BMMParameters]):
    """Bernoulli mixture (latent class analysis) fitted by EM: the binomial mixture with one trial per cell.

    Parameters and attributes are those of :class:`BinomialMixtureEM` without ``n_trials``.

    Raises
    ------
    ValueError
        If a parameter is not legal or X holds anything but 0 and 1.

    Examples
    --------
    >>> from em import BernoulliMixtureEM
    >>> X = [[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]] * 5
    >>> BernoulliMixtureEM(2, random_state=0).fit(X).weights_.round(3).tolist()
    [0.5, 0.5]
    """

    _steps: BinomialSteps = BINOMIAL
    _parameters_type = BMMParameters
