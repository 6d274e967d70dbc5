"""Simulation-based calibration accepts correct samplers, catches wrong ones, and compiles once."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom, kstest

from comparisons.alignment.relabelling import pivot
from comparisons.calibration import calibrate, simulators
from comparisons.calibration.result import ALPHA, summary
from comparisons.calibration.simulations import (
    BROKEN,
    SETTINGS,
    Setting,
    Simulation,
    covers,
    quantities,
    rank_of_first,
    simulate,
)
from comparisons.calibration.simulators import Ranks
from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler
from em.uncertainty.entries import entries_of
from models.bmm import BMMPrior
from models.gmm import GMMPrior

FEW = Setting(GMMPrior(4.0, [0.0], 0.05, 5.0, [[3.0]]), n_samples=20, n_features=1)
COUNTS = Setting(BMMPrior(4.0, 1.0, 1.0), n_samples=30, n_features=3, options={"n_trials": 6})

SHORT_CHAINS = {"GIBBS_TUNE": 100, "GIBBS_DRAWS": 600, "GIBBS_THIN": 10, "TUNE": 60, "DRAWS": 99}


@pytest.fixture(autouse=True)
def short_chains(monkeypatch):
    """Few draws are enough for these settings; 33 or 60 are kept."""
    for name, value in SHORT_CHAINS.items():
        monkeypatch.setattr(simulators, name, value)


@pytest.fixture(scope="module")
def by_gibbs():
    """Twenty simulations in this process, with chains as short as every test has them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SHORT_CHAINS.items():
            patch.setattr(simulators, name, value)
        return calibrate(COUNTS, samplers=["Gibbs"], n_simulations=20)["Gibbs"]


@dataclass(frozen=True)
class OtherPrior(Setting):
    """Truths come from another prior than the model's."""

    of_truth: GMMPrior | None = None

    def draw(self, rng):
        return Setting(self.of_truth).draw(rng)


def test_one_value_among_others_like_it_has_a_uniform_rank():
    rng = np.random.RandomState(0)
    ranks = [rank_of_first(rng.standard_normal(10), rng) for _ in range(2000)]
    with_ties = [rank_of_first(rng.randint(3, size=10), rng) for _ in range(2000)]
    assert kstest(ranks, "uniform").pvalue > 0.001
    assert kstest(with_ties, "uniform").pvalue > 0.001
    assert rank_of_first(np.array([5.0, 1.0, 2.0]), rng) > 2 / 3
    assert rank_of_first(np.array([0.0, 1.0, 2.0]), rng) < 1 / 3


def test_the_test_raises_a_false_alarm_about_as_rarely_as_it_says():
    """The truncated Cauchy combination is an approximation: at level 0.01 alarms are Binomial(1000, 0.0125) at most."""
    rng = np.random.default_rng(1)
    even = xr.Dataset({"x": (("simulation", "repeat"), rng.uniform(size=(200, 1000)))})
    p = even.azstats.uniformity_test(dim="simulation")[0]["x"].to_numpy()
    assert (p < 0.01).sum() <= binom.ppf(0.999, 1000, 0.0125)
    uneven = xr.Dataset({"x": ("simulation", rng.beta(1.5, 1, size=500))})
    assert uneven.azstats.uniformity_test(dim="simulation")[0]["x"] < 1e-4


@pytest.mark.parametrize("name", ["gmm-full-missing", "bmm-bernoulli-missing"])
def test_one_compilation_serves_all_data(name):
    """Of complete data the calibration of NUTS says so: with the first data in every simulation it fails."""
    setting, rng = SETTINGS[name], np.random.RandomState(0)
    small = replace(setting, n_samples=12)
    first, second = (small.simulate(small.draw(rng), rng) for _ in range(2))
    at = small.draw(rng).arrays()
    with without_c_compiler:
        of_any = UnconstrainedDensity(_model(small, first), jacobian=True, any_data=True)
    flat, model = of_any.unconstrain(at), _model(small, second)
    value, gradient = of_any.given(np.nan_to_num(second)).value_and_gradient(flat)
    point = dict(zip([variable.name for variable in model.value_vars], of_any.split(flat), strict=True))
    wanted, slope = model.compile_fn([model.logp(), model.dlogp()], mode="FAST_COMPILE")(point)
    assert value == pytest.approx(wanted, rel=1e-10)
    np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-8 * np.abs(slope).max())


def _model(setting, X):
    return setting.family.build_marginal_model(X, setting.n_components, setting.prior)


@pytest.mark.parametrize("setting", [FEW, COUNTS], ids=["gmm", "bmm"])
def test_gibbs_sampling_is_calibrated(setting):
    assert calibrate(setting, samplers=["Gibbs"], n_simulations=40)["Gibbs"].passed()


def test_nuts_is_calibrated_and_without_its_jacobian_it_is_not():
    few = replace(FEW, n_samples=3)  # the fewer, the more the prior, and with it the Jacobian, matters
    assert calibrate(few, n_simulations=20)["NUTS"].passed()
    assert not calibrate(few, n_simulations=20, jacobian=False)["NUTS"].passed()  # p x tests 0.0001


def test_truths_from_another_prior_are_caught():
    wide = OtherPrior(FEW.prior, n_samples=20, n_features=1, of_truth=replace(FEW.prior, scale=np.array([[9.0]])))
    assert not calibrate(wide, samplers=["Gibbs"], n_simulations=20)["Gibbs"].passed()


@pytest.mark.parametrize(("centre", "uniform"), [("fixed", True), ("truth", False)])
def test_draws_must_not_be_aligned_to_the_truth(centre, uniform):
    """Without data the posterior is the prior, and truth and draws are drawn alike: two components of two numbers."""
    rng, ranks = np.random.RandomState(0), []
    for _ in range(2000):
        points = rng.uniform(size=(61, 2, 2))
        reference = points[0] if centre == "truth" else np.array([[0.2, 0.4], [0.7, 0.8]])
        order = pivot(points, reference, np.ones(2)).orders
        aligned = np.take_along_axis(points, order[:, :, None], axis=1)
        ranks.append([rank_of_first(values, rng) for values in aligned.reshape(61, 4).T])
    tests = xr.DataArray(ranks, dims=("simulation", "quantity")).azstats.uniformity_test(dim="simulation")[0]
    assert (tests.min() * tests.size > ALPHA) == uniform


def test_labels_of_truth_and_draws_do_not_matter():
    rng = np.random.RandomState(0)
    for setting in (SETTINGS["gmm-full-3"], SETTINGS["gmm-tied"], COUNTS):
        simulation = simulate(setting, rng)
        K = setting.n_components
        points = {name: np.stack([array, array]) for name, array in simulation.truth.arrays().items()}
        swapped = simulation.truth.permute(np.roll(np.arange(K), 1)).arrays()
        points = {name: np.stack([values[0], swapped[name]]) for name, values in points.items()}
        for values in quantities(setting, simulation, points).values():
            assert values[1] == pytest.approx(values[0], rel=1e-12)
        assert setting.orders(simulation.reference, points)[0].tolist() == list(range(K))  # the truth is in order


def test_the_alignment_is_the_one_of_least_distance_to_em():
    rng = np.random.RandomState(3)
    setting = SETTINGS["bmm-bernoulli"]
    simulation = simulate(setting, rng)
    reference = simulation.reference.arrays()
    unit = setting.scale
    cost = []
    for order in ([0, 1], [1, 0]):
        moved = simulation.truth.permute(order).arrays()
        gaps = [np.c_[moved["weights"] - reference["weights"], moved["probs"] - reference["probs"]] / unit]
        cost.append(np.square(gaps).sum())
    assert cost[0] < cost[1]


def test_intervals_are_held_to_the_truth_by_name():
    truth = FEW.draw(np.random.RandomState(0))
    weight, mean = truth.weights[0], truth.means[1, 0]
    names = entries_of(truth, 1.0).names
    ends = {"weights[0]": (weight - 0.1, weight + 0.1), "means[1, 0]": (mean + 1, mean + 2)}
    low, high = np.array([ends.get(name, (np.nan, np.nan)) for name in names]).T
    intervals = SimpleNamespace(names=names, low=low, high=high)
    assert covers(intervals, truth) == {"weights[0]": True, "means[1, 0]": False}


def test_a_simulation_without_an_interval_is_a_miss_and_is_counted():
    truth = FEW.draw(np.random.RandomState(0))
    by_mle = [{"MLE": {"means[0, 0]": True}}, {"MLE": {"means[0, 0]": False}}, {"MLE": {}}]
    covered = [*by_mle, {}]  # of the last one the likelihood ran away
    simulations = [Simulation(truth, np.zeros((1, 1)), truth, of_one) for of_one in covered]
    result = summary("NUTS", simulations, [Ranks({"means[0, 0]": 0.5}, 100.0)] * 4, 1.0)
    assert result.coverage == [
        {"parameter": "means[0, 0]", "posterior": 1.0, "MLE": 0.25, "n_MLE": 2, "Laplace": None, "n_Laplace": 0}
    ]
    assert "an interval counts as not covered: MLE has none in up to 50.0% of the simulations of" in repr(result)
    assert "by Laplace" not in repr(result)


def test_workers_and_more_simulations_change_nothing(by_gibbs):
    shared = calibrate(COUNTS, samplers=["Gibbs"], n_simulations=20, workers=2)["Gibbs"]
    xr.testing.assert_identical(by_gibbs.ranks, shared.ranks)
    assert by_gibbs.coverage == shared.coverage


def test_table_figure_and_coverage_belong_to_the_ranks(by_gibbs):
    assert all(name in repr(by_gibbs) for name in ["log-likelihood", "probs[1, 2]", "20 simulations"])
    row = next(row for row in by_gibbs.coverage if row["parameter"] == "probs[0, 1]")
    inside = abs(by_gibbs.ranks["probs[0, 1]"].to_numpy() - 0.5) < 0.475
    assert row["posterior"] == inside.mean()
    assert 0.5 < row["MLE"] <= 1
    assert len(by_gibbs.plot().axes) >= len(by_gibbs.p_values)


def test_every_model_and_every_prior_has_its_setting():
    kinds = {(s.prior.__class__.__name__, getattr(s.prior, "covariance_type", None)) for s in SETTINGS.values()}
    for kind in ("full", "tied", "diag", "spherical"):
        assert {("GMMPrior", kind), ("GMMIndependentPrior", kind)} <= kinds
    scales = {s.prior.variance_shape is None for s in SETTINGS.values() if hasattr(s.prior, "variance_shape")}
    assert scales == {True, False}
    assert {s.family.n_trials == 1 for s in SETTINGS.values() if s.family.name == "bmm"} == {True, False}
    assert set(BROKEN) <= set(SETTINGS)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="n_simulations must be at least 20"):
        calibrate(FEW, n_simulations=5)
    with pytest.raises(ValueError, match="samplers must be NUTS, Gibbs or both"):
        calibrate(FEW, samplers=["HMC"])
    with pytest.raises(ValueError, match="samplers must be NUTS, Gibbs or both"):
        calibrate(FEW, samplers=[])
    with pytest.raises(ValueError, match="must not hold Gibbs"):
        calibrate(SETTINGS["gmm-diag-half-normal"], samplers=["Gibbs"])
    with pytest.raises(ValueError, match="must not hold Gibbs"):
        calibrate(SETTINGS["gmm-full-missing"], samplers=["Gibbs"])
    with pytest.raises(ValueError, match="workers"):
        calibrate(FEW, workers=0)
    with pytest.raises(ValueError, match="random_state must be a whole number of at least 0, got -1"):
        calibrate(FEW, random_state=-1)
    with pytest.raises(ValueError, match="share_missing must be at least 0 and less than 1, got 2"):
        replace(FEW, share_missing=2)
    with pytest.raises(ValueError, match=r"prior\.concentration must be at least 1"):
        calibrate(replace(COUNTS, prior=BMMPrior(0.5)))
