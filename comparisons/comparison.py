"""Put a mixture's two halves side by side: EM's estimates, the PyMC model's density, mode and posterior, and a verdict."""

import importlib
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from comparisons import metrics
from comparisons.alignment import align, assign
from comparisons.family import FAMILIES, Family
from comparisons.metrics import Check
from comparisons.progress import Progress, Silent
from em import NoMaximumWarning, NotIdentifiableWarning
from models.validation import Array, count_at_least_one, data_matrix

AGREE, DISAGREE = "agree", "disagree"
NOT_IDENTIFIED, NO_MAXIMUM = "not identified", "no maximum"
TOL = 1e-12
KKT_STEP = 1e-6


@dataclass
class Comparison:
    """Everything a comparison found.

    Attributes
    ----------
    family : Family
        The family's half of the work.
    X, feature_names, title, truth
        The data.
    prior, mle, map : object
        The shared prior; EM's fits without and with it. ``mle`` is an estimator even when it found no maximum.
    checks : list of Check
        In the order in which they were made.
    verdict : str
        "agree", "disagree", "not identified" or "no maximum".
    posterior : DataTree
        Draws aligned to ``reference``, with log_likelihood, sample_stats and observed_data.
    unaligned : Dataset
        The draws as they came.
    estimates : list of dict
        One row per parameter: truth, MLE, MAP, posterior mean, sd, gaps in sd, R-hat, ESS.
    responsibilities : dict of ndarray
        "em" (plug-in), "posterior mean", "posterior sd", each (n, K).
    seconds : dict
        Time of each step.
    """

    family: Family
    X: Array
    n_components: int
    prior: Any
    regular: bool
    title: str = "data"
    feature_names: tuple[str, ...] = ()
    truth: Any = None
    mle: Any = None
    map: Any = None
    verdict: str = ""
    explanation: str = ""
    checks: list[Check] = field(default_factory=list)
    posterior: Any = None
    unaligned: Any = None
    estimates: list[dict[str, Any]] = field(default_factory=list)
    responsibilities: dict[str, Array] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def has_maximum(self) -> bool:
        """Whether maximum likelihood found a maximum."""
        return bool(self.mle.n_collapsed_ < self.settings["n_runs"])

    @property
    def identified(self) -> bool:
        """Whether the model passed the rank test at the estimates."""
        return self.family.identified(self.mle) and self.family.identified(self.map)

    @property
    def reference(self) -> Any:
        """The parameters that draws are aligned to: EM's MLE, or its MAP where there is no MLE."""
        return self.mle.parameters_ if self.has_maximum and self.identified else self.map.parameters_

    def ridge_fit(self, seed: int) -> Any:
        """Return maximum likelihood from one random start, for the picture of a ridge."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.family.estimator(
                n_components=self.n_components, init="random", n_init=1, random_state=seed
            ).fit(self.X)

    def save(self, folder: Any) -> None:
        """Write ``comparison.json``, figures and the posterior into ``folder``, each replaced atomically."""
        from comparisons.report import save

        save(self, folder)

    def print(self, console: Any = None) -> None:
        """Print the tables and the verdict."""
        from comparisons.report import print_report

        print_report(self, console)


def compare(
    X: ArrayLike,
    family: str,
    n_components: int,
    prior: Any = None,
    *,
    n_trials: ArrayLike = 1,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    n_init: int = 10,
    random_state: int = 0,
    regular: bool = False,
    truth: Any = None,
    title: str = "data",
    feature_names: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Fit a mixture by EM and by PyMC and check that the two agree.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    family : {"gmm", "bmm"}
        Gaussian, or Bernoulli/binomial mixture.
    n_components : int
        Number of components K.
    prior : GMMPrior, BMMPrior or None
        Prior shared by MAP-EM and the PyMC models; ``None`` takes the family's weakly informative one.
    n_trials : int or array_like, shape (D,) or (n, D)
        Trials per cell, for "bmm".
    draws, tune, chains : int
        NUTS draws and warm-up draws of each chain, and number of chains (at least 2).
    n_init : int
        Restarts of maximum likelihood.
    random_state : int
        Seed; the same seed gives the same comparison.
    regular : bool
        Whether the case is declared regular (identified, n large for the overlap), so that the distances between MLE,
        MAP and posterior mean are judged and not only reported.
    truth : GMMParameters, BMMParameters or None
        Parameters that synthetic data were drawn from.
    title, feature_names
        For tables and figures.
    progress : Progress or None
        Where to report progress; ``None`` is silent.

    Returns
    -------
    Comparison
        Verdict, checks, estimates, posterior; ``save(folder)`` writes what the command line writes.

    Raises
    ------
    ValueError
        If an argument is not legal; nothing has been computed or written then.

    Examples
    --------
    >>> from comparisons import compare
    >>> from comparisons.data import load
    >>> compare(load("faithful").X, family="gmm", n_components=2).verdict  # doctest: +SKIP
    'agree'
    """
    K = count_at_least_one("n_components", n_components)
    for name, value, least in [("draws", draws, 100), ("tune", tune, 100), ("chains", chains, 2)]:
        if count_at_least_one(name, value) < least:
            raise ValueError(f"{name} must be at least {least}, got {value}: R-hat and ESS need that many")
    half = family_of(family, n_trials)
    X = data_matrix(X)
    prior = half.default_prior(X, K) if prior is None else prior
    if not isinstance(prior, half.prior_type):
        raise ValueError(f"prior must be None or a {half.prior_type.__name__}, got {type(prior).__name__}")
    if not prior.exchangeable:
        raise ValueError("prior must treat all components alike (equal concentration), so that labels may be aligned")
    names = tuple(feature_names) or tuple(f"feature {d}" for d in range(X.shape[1]))
    found = Comparison(half, X, K, prior, regular, title, names, truth)
    found.settings = {
        "n_runs": n_init, "draws": draws, "tune": tune, "chains": chains, "random_state": random_state
    }  # fmt: skip
    _Steps(found, progress or Silent()).run()
    return found


def family_of(name: str, n_trials: ArrayLike = 1) -> Family:
    """Return the family called ``name``."""
    if name not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {name!r}")
    return importlib.import_module(f"comparisons.{name}").FAMILY.of(n_trials)


class _Steps:
    """The steps of one comparison, in order."""

    def __init__(self, found: Comparison, progress: Progress) -> None:
        self.found, self.progress = found, progress
        self.family, self.X, self.K = found.family, found.X, found.n_components

    def run(self) -> None:
        found = self.found
        with self._timed("EM"):
            self._fit()
        with self._timed("PyMC's densities"):
            self._check_densities()
        with self._timed("NUTS", total=found.settings["chains"] * (found.settings["draws"] + found.settings["tune"])):
            self._sample()
        with self._timed("find_MAP"):
            self._check_find_map()
        with self._timed("posterior against estimates"):
            self._check_posterior()
        self._conclude()

    @contextmanager
    def _timed(self, step: str, total: int | None = None) -> Iterator[None]:
        began = time.perf_counter()
        with self.progress.step(step, total):
            yield
        self.found.seconds[step] = time.perf_counter() - began

    # EM ---------------------------------------------------------------------------------------------------------------

    def _fit(self) -> None:
        found, seed = self.found, self.found.settings["random_state"]
        settings = {"n_components": self.K, "tol": TOL, "max_iter": 100_000, "random_state": seed}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoMaximumWarning)  # these two are verdicts here
            warnings.simplefilter("ignore", NotIdentifiableWarning)
            found.mle = self.family.estimator(n_init=found.settings["n_runs"], **settings).fit(self.X)
            found.map = self.family.estimator(prior=found.prior, n_init=found.settings["n_runs"], **settings).fit(
                self.X
            )
            if found.has_maximum:  # the MAP next to the MLE may be better than the restarts' best
                near = self.family.estimator(prior=found.prior, init=found.mle.parameters_, **settings).fit(self.X)
                if near.objective_ >= found.map.objective_ - 1e-9 * abs(found.map.objective_):
                    found.map = near

    def _fits(self) -> list[tuple[str, Any]]:
        fits = [("MAP", self.found.map)]
        return [("MLE", self.found.mle), *fits] if self.found.has_maximum else fits

    # Densities --------------------------------------------------------------------------------------------------------

    def _check_densities(self) -> None:
        from comparisons.posterior import Gradient, MarginalDensity, responsibilities_of_joint

        found, checks = self.found, self.found.checks
        explicit = self.family.build_model(self.X, self.K, found.prior)
        self.marginal = self.family.build_marginal_model(self.X, self.K, found.prior)
        self.density = MarginalDensity(self.marginal)
        for at, fit in self._fits():
            point = dict(fit.parameters_.arrays())
            em_responsibilities, em_log_likelihood = self.family.e_step(self.X, fit.parameters_)
            joint = responsibilities_of_joint(explicit, point, len(self.X), self.K)
            checks.append(metrics.responsibilities_match_joint(em_responsibilities, joint, at))
            pointwise, log_prior = self.density.at(point)
            checks.append(metrics.log_likelihood_matches(em_log_likelihood, pointwise, at))
            if at == "MAP":
                checks.append(metrics.log_prior_matches(found.prior.log_prob(fit.parameters_), log_prior, at))
        if found.has_maximum:
            flat = Gradient(self.family.build_marginal_model(self.X, self.K, None))
            self._check_stationary(flat, self.found.mle.parameters_)

    def _check_stationary(self, flat: Any, parameters: Any) -> None:
        free = self.family.free_coordinates(parameters)
        point = {
            name: np.clip(array, 1e-12, 1 - 1e-12) if name in free else array
            for name, array in parameters.arrays().items()
        }
        at = flat.unconstrain(point)
        self.found.checks.append(metrics.mle_is_stationary(flat(at), flat.standard_errors(at)))
        slopes = [
            slope
            for name, inside in free.items()
            for slope in self._inward_slopes(parameters, name, np.argwhere(~inside))
        ]
        if slopes:
            log_likelihood = self.found.mle.log_likelihood_
            self.found.checks.append(metrics.boundary_points_outwards(np.array(slopes), log_likelihood, KKT_STEP))

    def _inward_slopes(self, parameters: Any, name: str, boundary: np.ndarray) -> Iterator[float]:
        at = dict(parameters.arrays())
        here = self.density.log_likelihood(at)
        for index in map(tuple, boundary):
            moved = at[name].copy()
            moved[index] = KKT_STEP if moved[index] < 0.5 else 1 - KKT_STEP
            yield (self.density.log_likelihood({**at, name: moved}) - here) / KKT_STEP

    # Posterior --------------------------------------------------------------------------------------------------------

    def _sample(self) -> None:
        from comparisons.posterior import sample

        found, settings = self.found, self.found.settings
        tree = sample(
            self.marginal,
            self._dispersed_starts(),
            draws=settings["draws"],
            tune=settings["tune"],
            chains=settings["chains"],
            seed=settings["random_state"],
            progress=self.progress.advance_to,
        )
        found.unaligned = tree["posterior"].to_dataset()[list(found.map.parameters_.arrays())]
        self.pointwise, self.log_prior = self.density.of_draws(found.unaligned)
        stacked = _stack(found.unaligned)
        shape = found.unaligned["weights"].shape[:2]
        orders = assign(self.family.distances(stacked, found.reference)).reshape(*shape, self.K)
        aligned = align(found.unaligned, orders)
        dims = ("chain", "draw", "obs")
        found.posterior = xr.DataTree.from_dict(
            {
                "posterior": aligned,
                "log_likelihood": xr.Dataset({"x": (dims, self.pointwise)}, coords={"obs": np.arange(len(self.X))}),
                "sample_stats": tree["sample_stats"].to_dataset(),
                "observed_data": xr.Dataset({"x": (("obs", "feature"), self.X)}),
            }
        )

    def _dispersed_starts(self) -> list[dict[str, Array]]:
        """MAP-EM on random thirds of the rows: about sqrt(3) posterior sd apart, on every parameter's own scale."""
        rng = np.random.RandomState(self.found.settings["random_state"])
        starts = []
        for _ in range(8):
            rows = rng.choice(len(self.X), size=max(len(self.X) // 3, min(len(self.X), 2 * self.K)), replace=False)
            third = self.family.rows(rows)
            fit = third.estimator(
                n_components=self.K, prior=self.found.prior, init=self.found.map.parameters_, max_iter=200, tol=1e-3
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                starts.append(dict(fit.fit(self.X[rows]).parameters_.arrays()))
        return starts

    def _check_find_map(self) -> None:
        from comparisons.posterior import find_map

        found = self.found
        draws, best = _stack(found.posterior["posterior"].to_dataset()), found.map.parameters_
        order = assign(self.family.distances(_one(best), found.reference))[0]
        self.map_parameters = best.permute(order)
        target = _flat(dict(self.map_parameters.arrays()), self.family)
        flat = np.column_stack([draws[name].reshape(len(draws[name]), -1) for name in best.arrays()])
        sd_all = flat.std(axis=0)
        distance = np.sqrt((((flat - _ravel(self.map_parameters)) / sd_all) ** 2).mean(axis=1))
        start_at = int(np.flatnonzero(distance >= 1)[0])
        start = {name: array[start_at] for name, array in draws.items()}
        answer = find_map(self.marginal, start)
        sd = _flat({name: array.std(axis=0) for name, array in draws.items()}, self.family)
        answer_vector, start_vector = _flat(answer, self.family), _flat(start, self.family)
        found.checks.append(metrics.find_map_matches(target, answer_vector, sd))
        found.checks.append(metrics.find_map_moved(start_vector, answer_vector, sd))

    def _check_posterior(self) -> None:
        found, checks = self.found, self.found.checks
        aligned = found.posterior["posterior"].to_dataset()
        log_likelihood = self.pointwise.sum(axis=-1)
        regular = found.regular and found.identified and found.has_maximum
        if found.has_maximum:
            checks.append(metrics.no_draw_exceeds("no draw beats the MLE", log_likelihood, found.mle.log_likelihood_))
        log_posterior = log_likelihood + self.log_prior
        checks.append(metrics.no_draw_exceeds("no draw beats the MAP", log_posterior, found.map.objective_))
        checks += metrics.chains_mixed(metrics.label_free(found.unaligned, log_likelihood), "label-free", True)
        checks += metrics.chains_mixed(aligned, "aligned parameters", regular)
        _, ess = metrics.extremes(aligned)
        draws = _stack(aligned)
        mean = _flat({name: array.mean(axis=0) for name, array in draws.items()}, self.family)
        sd = _flat({name: array.std(axis=0) for name, array in draws.items()}, self.family)
        gap = self.family.conjugate_gap(found.reference, len(self.X), found.prior)
        if found.has_maximum and found.identified:
            mle = _flat(dict(found.mle.parameters_.arrays()), self.family)
            checks.append(metrics.near_posterior_mean("MLE near posterior mean", mle, mean, sd, ess, gap, regular))
        map_vector = _flat(dict(self.map_parameters.arrays()), self.family)
        checks.append(metrics.near_posterior_mean("MAP near posterior mean", map_vector, mean, sd, ess, gap, regular))
        self._check_responsibilities(draws, regular)
        if found.truth is not None and found.identified and found.has_maximum:
            order = assign(self.family.distances(_one(found.truth), found.reference))[0]
            found.truth = found.truth.permute(order)
            truth = self.family.unconstrained(_one(found.truth))[0]
            checks.append(metrics.truth_within_posterior(truth, self.family.unconstrained(draws), regular))
        if not found.identified:
            of_draws = self.family.mean_response(draws)
            estimate = self.family.mean_response(_one(found.mle.parameters_))[0]
            pseudo = self.K * self.family.pseudo_samples(found.prior)
            identified = xr.Dataset(
                {"mean_response": (("chain", "draw", "feature"), of_draws.reshape(*log_posterior.shape, -1))}
            )
            _, ess = metrics.extremes(identified)
            checks.append(metrics.identified_quantity_agrees(estimate, of_draws, pseudo, len(self.X), ess))

    def _check_responsibilities(self, draws: dict[str, Array], regular: bool) -> None:
        found = self.found
        plug_in = self.family.e_step(self.X, found.reference)[0]
        thinned = np.linspace(0, len(draws["weights"]) - 1, 200).astype(int)
        total, squares = np.zeros_like(plug_in), np.zeros_like(plug_in)
        for s in thinned:
            parameters = self.family.parameters_type(**{name: array[s] for name, array in draws.items()})
            responsibilities = self.family.e_step(self.X, parameters)[0]
            total += responsibilities
            squares += responsibilities**2
        mean = total / len(thinned)
        sd = np.sqrt(np.maximum(squares / len(thinned) - mean**2, 0))
        found.responsibilities = {"em": plug_in, "posterior mean": mean, "posterior sd": sd}
        found.checks.append(metrics.responsibilities_near_average(plug_in, mean, sd, regular))

    # Verdict ----------------------------------------------------------------------------------------------------------

    def _conclude(self) -> None:
        found = self.found
        found.estimates = _table(found, self.map_parameters)
        failed = [check.name for check in found.checks if check.passed is False]
        if failed:
            found.verdict, found.explanation = DISAGREE, f"failed: {'; '.join(failed)}"
        elif not found.has_maximum:
            found.verdict, found.explanation = NO_MAXIMUM, f"{found.mle.status_}. Only MAP quantities were judged"
        elif not found.identified:
            sentence = found.mle.identifiability_.sentence
            found.verdict, found.explanation = (
                NOT_IDENTIFIED,
                f"{sentence}. Only identified and MAP quantities were judged",
            )
        else:
            judged = sum(check.passed is not None for check in found.checks)
            found.verdict, found.explanation = AGREE, f"all {judged} judged checks passed"


def _table(found: Comparison, map_parameters: Any) -> list[dict[str, Any]]:
    """One row per distinct parameter."""
    import arviz as az

    aligned = found.posterior["posterior"].to_dataset()
    rhat, ess = az.rhat(aligned), az.ess(aligned, method="bulk")
    rows = []
    for name in aligned.data_vars:
        values = aligned[name].to_numpy()
        mle = found.mle.parameters_.arrays()[name] if found.has_maximum and found.identified else None
        for index in found.family.entries(name, values[0, 0]):
            at = (slice(None), slice(None), *index)
            mean, sd = float(values[at].mean()), float(values[at].std())
            row = {
                "parameter": f"{name}[{', '.join(map(str, index))}]",
                "truth": None if found.truth is None else float(found.truth.arrays()[name][index]),
                "mle": None if mle is None else float(mle[index]),
                "map": float(map_parameters.arrays()[name][index]),
                "mean": mean,
                "sd": sd,
                "rhat": float(rhat[name].to_numpy()[index]),
                "ess": float(ess[name].to_numpy()[index]),
            }
            row["mle_gap_sd"] = None if row["mle"] is None or sd == 0 else (row["mle"] - mean) / sd
            row["map_gap_sd"] = None if sd == 0 else (row["map"] - mean) / sd
            rows.append(row)
    return rows


def _stack(posterior: xr.Dataset) -> dict[str, Array]:
    """Return draws (chain * draw, ...) by name."""
    return {str(name): array.to_numpy().reshape(-1, *array.shape[2:]) for name, array in posterior.data_vars.items()}


def _one(parameters: Any) -> dict[str, Array]:
    """Return parameters as a single draw."""
    return {name: array[None] for name, array in parameters.arrays().items()}


def _ravel(parameters: Any) -> Array:
    return np.concatenate([array.ravel() for array in parameters.arrays().values()])


def _flat(point: dict[str, Array], family: Family) -> Array:
    """Return the distinct entries of a declared point as one vector."""
    return np.array([value[index] for name, value in point.items() for index in family.entries(name, value)])
