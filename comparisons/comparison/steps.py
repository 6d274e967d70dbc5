"""The steps of a comparison, in order: EM, PyMC's densities, NUTS, `find_MAP`, the posterior against the estimates."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from comparisons.alignment import align, order_of
from comparisons.alignment.mixing import extremes, label_free
from comparisons.comparison import checks as metrics
from comparisons.comparison.estimates import estimates_of, single, stack
from comparisons.comparison.extremes import (
    check_agreement,
    check_counts,
    check_mean,
    check_mode,
    refused_by_name,
    rounding_of_prior,
)
from comparisons.comparison.find_map import find_map_checks
from comparisons.comparison.result import Comparison
from comparisons.comparison.spread import spreads_of
from comparisons.comparison.starts import chain_starts, refuse_collapsed
from comparisons.family import PRECISE
from comparisons.output.progress import Progress
from em import NoMaximumWarning, NotIdentifiableWarning
from em.status import left_to_the_status
from models.validation import Array

AGREE, DISAGREE = "agree", "disagree"
NOT_IDENTIFIED, NO_MAXIMUM = "not identified", "no maximum"
KKT_STEP = 1e-6
ADVI_STEPS, ADVI_DRAWS = 2000, 4000


class Steps:
    """The steps of one comparison, in order."""

    def __init__(self, found: Comparison, progress: Progress) -> None:
        self.found, self.progress = found, progress
        self.family, self.X, self.K = found.family, found.X, found.n_components

    def run(self) -> None:
        """Take every step."""
        settings = self.found.settings
        with self._timed("EM"):
            self.fit()
        with self._timed("loading PyMC"):
            from comparisons.posterior.densities import without_c_compiler
        with without_c_compiler():
            with self._timed("PyMC's densities"):
                with refused_by_name(self.found):
                    self.compile_densities()
                    self.check_densities()
                check_agreement(self.found)
            with self._timed("NUTS", total=settings["chains"] * (settings["draws"] + settings["tune"])):
                self.sample()
            with self._timed("find_MAP"):
                self.check_find_map()
            with self._timed("posterior against estimates"):
                self.check_posterior()
            with self._timed("ADVI" if settings["advi"] else "spread", total=ADVI_STEPS if settings["advi"] else None):
                self.measure_spread()
        self.conclude()

    @contextmanager
    def _timed(self, step: str, total: int | None = None) -> Iterator[None]:
        began = time.perf_counter()
        with self.progress.step(step, total):
            yield
        self.found.seconds[step] = time.perf_counter() - began

    # EM ---------------------------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Fit by EM: maximum likelihood, and MAP, next to it where that is a maximum too."""
        found, seed = self.found, self.found.settings["random_state"]
        settings: dict[str, Any] = {"n_components": self.K, "random_state": seed, **PRECISE}
        with left_to_the_status(NoMaximumWarning, NotIdentifiableWarning):  # these two are verdicts here
            with refused_by_name(found, with_prior=False):
                found.mle = self.family.estimator(n_init=found.settings["n_init"], **settings).fit(self.X)
            with refused_by_name(found) as noted:
                check_counts(found)
                check_mean(found)
                self._fit_map(settings)
                check_mode(found, noted)
        refuse_collapsed(found.map)

    def _fit_map(self, settings: dict[str, Any]) -> None:
        found = self.found
        found.map = self.family.estimator(prior=found.prior, n_init=found.settings["n_init"], **settings).fit(self.X)
        if found.has_maximum:  # the MAP next to the MLE may be better than the restarts' best
            near = self.family.estimator(prior=found.prior, init=found.mle.parameters_, **settings).fit(self.X)
            better = near.objective_ >= found.map.objective_ - 1e-9 * abs(found.map.objective_)
            if found.map.collapsed_ or (better and not near.collapsed_):
                found.map = near

    # Densities --------------------------------------------------------------------------------------------------------

    def compile_densities(self) -> None:
        """Build the PyMC models (explicit z, marginal, marginal with flat priors) and compile what is asked of them."""
        from comparisons.posterior.densities import JointDensity, MarginalDensity, UnconstrainedDensity

        prior = self.found.prior
        self.marginal = self.family.build_marginal_model(self.X, self.K, prior)
        self.joint = JointDensity(self.family.build_model(self.X, self.K, prior))
        self.precise = self.family.build_marginal_model(self.X, self.K, prior, precise=True)
        self.density = MarginalDensity(self.precise)
        if self.found.has_maximum:
            flat = self.family.build_marginal_model(self.X, self.K, None, precise=True)
            self.flat = UnconstrainedDensity(flat, jacobian=False)

    def check_densities(self) -> None:
        """Hold EM's responsibilities, log-likelihood, log prior and stationarity to PyMC's densities."""
        found, checks = self.found, self.found.checks
        fits = [("MLE", found.mle)] if found.has_maximum else []
        for at, fit in [*fits, ("MAP", found.map)]:
            point = fit.parameters_.arrays()
            em_responsibilities, em_log_likelihood = self.family.e_step(self.X, fit.parameters_)
            joint = self.joint.responsibilities(point, len(self.X), self.K)
            checks.append(metrics.responsibilities_match_joint(em_responsibilities, joint, at))
            pointwise, log_prior = self.density.at(point)
            checks.append(metrics.log_likelihood_matches(em_log_likelihood, pointwise, at))
            if at == "MAP":
                log_prob, rounding = found.prior.log_prob(fit.parameters_), rounding_of_prior(found)
                checks.append(metrics.log_prior_matches(log_prob, log_prior, at, rounding))
        if found.has_maximum:
            self._check_stationary(found.mle.parameters_)

    def _check_stationary(self, parameters: Any) -> None:
        """Interior quantities by the gradient; those on the boundary, held just inside it, by one-sided slopes."""
        free = self.family.free_coordinates(parameters)
        at = self.flat.unconstrain(self.family.inside(parameters))
        kept = self.flat.mask(free)
        gradient, errors = self.flat.gradient(at)[kept], self.flat.standard_errors(at, kept)
        self.found.checks.append(metrics.mle_is_stationary(gradient, errors))
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

    def sample(self) -> None:
        """Draw from the posterior by NUTS and align the draws' labels to EM's answer."""
        from comparisons.posterior import Interrupted, sample

        found, settings = self.found, self.found.settings
        of_starts = {name: settings[name] for name in ("starts", "chains", "n_init")}
        seed = settings["random_state"]
        try:
            with refused_by_name(found):
                tree = sample(
                    self.marginal,
                    chain_starts(self.family, self.X, found.map.parameters_, found.prior, seed=seed, **of_starts),
                    draws=settings["draws"],
                    tune=settings["tune"],
                    chains=settings["chains"],
                    target_accept=settings["target_accept"],
                    seed=seed,
                    progress=self.progress.advance_to,
                    resolved=True,
                )
        except Interrupted as interrupt:
            if interrupt.draws is not None:
                self.keep(interrupt.draws)
                found.posterior.attrs["note"] = "sampling was interrupted"
            raise
        self.keep(tree)

    def keep(self, tree: xr.DataTree) -> None:
        """Keep draws, with their log-likelihood, aligned."""
        found = self.found
        found.unaligned = tree["posterior"].to_dataset()[list(found.map.parameters_.arrays())]
        self.pointwise, self.log_prior = self.density.of_draws(found.unaligned)
        dims = ("chain", "draw", "obs")
        groups = {
            "posterior": found.unaligned,
            "log_likelihood": xr.Dataset({"x": (dims, self.pointwise)}, coords={"obs": np.arange(len(self.X))}),
            "sample_stats": tree["sample_stats"].to_dataset(),
            "observed_data": xr.Dataset({"x": (("obs", "feature"), self.X)}),
        }
        found.posterior = align(xr.DataTree.from_dict(groups), "pivot", reference=found.reference)
        if found.truth is not None:
            found.truth = found.truth.permute(order_of(found.truth, found.posterior))

    def check_find_map(self) -> None:
        """Hold MAP-EM to PyMC's own search for the mode."""
        found, best = self.found, self.found.map.parameters_
        self.map_parameters = best.permute(order_of(best, found.posterior))
        log_posterior = self.pointwise.sum(axis=-1) + self.log_prior
        found.checks += find_map_checks(found, self.map_parameters, self.precise, self.density, log_posterior)

    def check_posterior(self) -> None:
        """Hold MLE, MAP, responsibilities and truth to the posterior, and the chains to each other."""
        found, checks = self.found, self.found.checks
        aligned = found.posterior["posterior"].to_dataset()
        log_likelihood = self.pointwise.sum(axis=-1)
        regular = found.regular and found.identified and found.has_maximum
        checks.append(metrics.few_divergences(found.posterior["sample_stats"]["diverging"].to_numpy()))
        if found.has_maximum:
            checks.append(metrics.no_draw_exceeds("no draw beats the MLE", log_likelihood, found.mle.log_likelihood_))
        log_posterior = log_likelihood + self.log_prior
        checks.append(metrics.no_draw_exceeds("no draw beats the MAP", log_posterior, found.map.objective_))
        checks += metrics.chains_mixed(label_free(found.unaligned, log_likelihood), "label-free", True)
        checks += metrics.chains_mixed(aligned, "aligned parameters", regular)
        _, ess = extremes(aligned)
        draws = stack(aligned)
        found.estimates = estimates_of(found, self.map_parameters)
        names = {"mle": "MLE", "map": "MAP"} if found.has_maximum and found.identified else {"map": "MAP"}
        rows = [row for row in found.estimates if row["sd"] > 0]  # the weight of a single component does not vary
        for key, name in names.items():
            check = metrics.near_posterior_mean(
                name,
                np.array([row[f"{key}_gap_sd"] for row in rows]),
                np.array([row[f"{key}_gap_conjugate"] for row in rows]),
                [row["parameter"] for row in rows],
                smallest_count=max(1.0, found.reference.weights.min() * len(self.X)),
                ess=ess,
                judged=regular,
            )
            checks.append(check)
        self._check_responsibilities(draws, regular)
        if found.truth is not None and found.identified and found.has_maximum:
            truth = self.family.unconstrained(single(found.truth))[0]
            checks.append(metrics.truth_within_posterior(truth, self.family.unconstrained(draws)))
        if not found.identified:
            of_draws = self.family.mean_response(draws)
            estimate = self.family.mean_response(single(found.mle.parameters_))[0]
            pseudo, prior_mean = self.family.prior_on_response(found.prior, self.X)
            identified = xr.Dataset(
                {"mean_response": (("chain", "draw", "feature"), of_draws.reshape(*log_posterior.shape, -1))}
            )
            _, ess = extremes(identified)
            located, n = self.family.parameter_names[1], len(self.X)
            checks.append(
                metrics.identified_quantity_agrees(located, estimate, of_draws, n, self.K * pseudo, prior_mean, ess)
            )

    def _check_responsibilities(self, draws: dict[str, Array], regular: bool) -> None:
        found = self.found
        plug_in = self.family.e_step(self.X, found.reference)[0]
        thinned = np.linspace(0, len(draws["weights"]) - 1, 200).astype(int)
        total, squares = np.zeros_like(plug_in), np.zeros_like(plug_in)
        for s in thinned:
            parameters = replace(found.reference, **{name: array[s] for name, array in draws.items()})
            responsibilities = self.family.e_step(self.X, parameters)[0]
            total += responsibilities
            squares += responsibilities**2
        mean = total / len(thinned)
        sd = np.sqrt(np.maximum(squares / len(thinned) - mean**2, 0))
        found.responsibilities = {"em": plug_in, "posterior mean": mean, "posterior sd": sd}
        found.checks.append(metrics.responsibilities_near_average(plug_in, mean, sd, regular))

    def measure_spread(self) -> None:
        """Put the standard deviations of every method beside those of NUTS."""
        from comparisons.posterior.advi import advi

        found, settings = self.found, self.found.settings
        draws = None
        if settings["advi"]:
            draws = advi(
                self.marginal,
                self.family.inside(self.map_parameters),
                steps=ADVI_STEPS,
                draws=ADVI_DRAWS,
                seed=settings["random_state"],
                progress=self.progress.advance_to,
            )
        found.spreads = spreads_of(found, self.map_parameters, draws)

    # Verdict ----------------------------------------------------------------------------------------------------------

    def conclude(self) -> None:
        """Give the verdict."""
        found = self.found
        failed = [check.name for check in found.checks if check.passed is False]
        if failed:
            advice = "; the chains, not EM, are in doubt: ask for more draws"
            only_chains = all(map(metrics.is_about_chains, failed))
            found.verdict, found.explanation = DISAGREE, f"failed: {'; '.join(failed)}{advice if only_chains else ''}"
        elif not found.has_maximum:
            found.verdict, found.explanation = NO_MAXIMUM, f"{found.mle.status_}. Only MAP quantities were judged"
        elif not found.identified:
            sentence = next(
                said.sentence
                for said in map(self.family.identifiability, (found.mle, found.map))
                if not said.identified
            )
            found.verdict, found.explanation = (
                NOT_IDENTIFIED,
                f"{sentence}. Only identified and MAP quantities were judged",
            )
        else:
            judged = sum(check.passed is not None for check in found.checks)
            found.verdict, found.explanation = AGREE, f"all {judged} judged checks passed"
