"""Our EM and its rivals. Each runs ``n_iter`` iterations from the start and times each E-step and M-step."""

import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.cases import Case
from em import BernoulliMixtureEM, GaussianMixtureEM
from models.bmm import BMMParameters
from models.gmm import GMMParameters
from models.validation import Array


class Clock:
    """Records the seconds of each call of the timed functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def __call__(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed under ``name``."""

        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **options)
            self.seconds.setdefault(name, []).append(time.perf_counter() - start)
            return result

        return timed

    def per_pass(self) -> float:
        """Seconds of one pass: the sum of the median E-step and the median M-step."""
        return float(sum(np.median(seconds) for seconds in self.seconds.values()))


def ours(case: Case, X: Array, start: GMMParameters | BMMParameters, n_iter: int, clock: Clock) -> float:
    """Fit by `em`; return the log-likelihood after the last E-step that a rival reports too."""
    family = BernoulliMixtureEM if case.kind in ("bernoulli", "sparse") else GaussianMixtureEM

    class Timed(family):  # type: ignore[misc, valid-type]
        def _problem(self, samples: Any) -> Any:
            problem = super()._problem(samples)
            return replace(problem, expect=clock("E", problem.expect), maximise=clock("M", problem.maximise))

    structure = {} if family is BernoulliMixtureEM else {"covariance_type": case.kind}
    fit = Timed(case.K, init=start, tol=0, max_iter=n_iter, acceleration=None, **structure).fit(X)
    return float(fit.history_[n_iter - 1])


def scikit_learn(case: Case, X: Array, start: GMMParameters, n_iter: int, clock: Clock) -> float:
    """Fit by scikit-learn's GaussianMixture, whose lower bound is measured before the last M-step."""
    from sklearn.mixture import GaussianMixture

    covariances = start.covariances
    precisions = 1 / covariances if case.kind in ("diag", "spherical") else np.linalg.inv(covariances)
    fit = GaussianMixture(
        case.K,
        covariance_type=case.kind,
        reg_covar=0,
        tol=0,
        max_iter=n_iter,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=precisions,
    )
    fit._e_step, fit._m_step = clock("E", fit._e_step), clock("M", fit._m_step)
    return float(fit.fit(X).lower_bound_ * len(X))


def hmmlearn(case: Case, X: Array, start: GMMParameters, n_iter: int, clock: Clock) -> float:
    """Fit by hmmlearn's GMMHMM with one state, whose likelihood is that of a Gaussian mixture; its priors are flat.

    Its M-step takes covariances about the means before the step, so its iterations differ although the start is equal.
    """
    from hmmlearn.hmm import GMMHMM

    flat = -(case.D + 2) / 2 if case.kind == "spherical" else None  # its default is flat only if K = D
    fit = GMMHMM(1, case.K, covariance_type=case.kind, covars_prior=flat, n_iter=n_iter, tol=-np.inf, init_params="")
    fit.startprob_, fit.transmat_ = np.ones(1), np.ones((1, 1))
    fit.weights_, fit.means_, fit.covars_ = (array[None] for array in start.arrays().values())
    fit._init = lambda X, lengths: None  # it would run K-means ten times for nothing
    fit._do_estep, fit._do_mstep = clock("E", fit._do_estep), clock("M", fit._do_mstep)
    fit.fit(X)
    return float("nan")


def stepmix(case: Case, X: Array, start: BMMParameters, n_iter: int, clock: Clock) -> float:
    """Fit by StepMix, which takes no start: the same number of iterations from its own start."""
    from stepmix.stepmix import StepMix

    fit = StepMix(
        case.K, measurement="binary", n_init=1, max_iter=n_iter, abs_tol=0, rel_tol=0, progress_bar=0, random_state=0
    )
    fit._e_step, fit._m_step = clock("E", fit._e_step), clock("M", fit._m_step)
    fit.fit(X)
    return float("nan")


CONTESTANTS: dict[str, Callable[..., float]] = {
    "ours": ours,
    "scikit-learn": scikit_learn,
    "hmmlearn": hmmlearn,
    "StepMix": stepmix,
}


def rivals_of(case: Case) -> list[str]:
    """Return the names of the rivals that fit this family.

    hmmlearn needs an array (n, K, D, D) for covariance matrices, or (n, K, D) for variances. It runs if that takes less
    than 4 GB. pomegranate is left out because it needs PyTorch.
    """
    if case.kind == "sparse":
        return ["no rival"]  # StepMix takes dense X only, here of 3.2 GB
    if case.kind == "bernoulli":
        return ["StepMix"]
    held = 8 * case.n * case.K * case.D * (case.D if case.kind in ("full", "tied") else 1)
    return ["scikit-learn", "hmmlearn"] if held < 4e9 else ["scikit-learn"]


def installed(name: str) -> bool:
    """Whether the contestant can be imported."""
    return find_spec({"ours": "em", "scikit-learn": "sklearn", "StepMix": "stepmix"}.get(name, name)) is not None
