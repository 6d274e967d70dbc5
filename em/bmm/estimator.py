"""The estimators of Bernoulli and binomial mixtures by EM, with scikit-learn's interface; steps in :mod:`em.bmm`."""

from dataclasses import dataclass
from typing import Any

from em.bmm import BINOMIAL
from em.exponential import ExponentialMixtureEM
from em.sizes import SizesOfRows
from models.bmm import BMMParameters


@dataclass(eq=False, repr=False, kw_only=True)
class BinomialMixtureEM(SizesOfRows, ExponentialMixtureEM[BMMParameters]):
    """Binomial mixture fitted by EM: maximum likelihood, or MAP under the prior that the PyMC model takes.

    Settings and attributes are those of :class:`em.exponential.ExponentialMixtureEM`, and those below.

    Parameters
    ----------
    n_trials : int or array_like, shape (D,) or (n, D), default 1
        Number of trials of each cell. If it differs between rows, pass that of new rows to the methods, as an argument
        of the same name (:mod:`em.sizes`).

    Attributes
    ----------
    probs_ : ndarray, shape (K, D)
        Estimates.
    n_trials_ : int or ndarray
        The trials that were passed to `fit`; absent if none were.

    Raises
    ------
    ValueError
        If a parameter or X is not legal; see the message.

    Notes
    -----
    X may be any scipy.sparse matrix or array if all rows have the same trials. It is never made dense, and has no
    missing cells.

    If a prior with successes or failures above 1 makes frozen probs of 0 or 1 impossible, the objective leaves out the
    prior density of the probs.

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

    n_trials: Any = 1

    _steps = BINOMIAL


class BernoulliMixtureEM(ExponentialMixtureEM[BMMParameters]):
    """Bernoulli mixture (latent class analysis) fitted by EM: the binomial mixture with one trial per cell.

    Settings and attributes are those of :class:`em.exponential.ExponentialMixtureEM`, and ``probs_``, shape (K, D).

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

    _steps = BINOMIAL
