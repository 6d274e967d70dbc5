"""Where a posterior is near normal, turns draw the same as NUTS, with fewer gradients for each draw."""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import gamma

from comparisons import posterior
from comparisons.posterior import sample, sample_chain
from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler
from comparisons.posterior.nuts import EIGHTH_TURNS, NUTS, QUARTER_TURNS, TURNS, Chain, departure, trajectories_for
from models.bmm import BMMPrior, build_marginal_model

ONES = np.array([130, 40])
N = 300
DATA = {"near_normal": (ONES, N), "somewhat_normal": (np.arange(2, 10).repeat(2), 12)}
PRIOR = BMMPrior(1.0, 2.0, 2.0)
LENGTHS = {"draws": 4000, "tune": 500, "chains": 4}


def answers(ones, n):
    return (np.arange(n)[:, None] < np.asarray(ones)).astype(float)


def one_class(X):
    """The model of one class, whose posterior is Beta(2 + ones, 2 + zeros) in each column."""
    with without_c_compiler():
        model = build_marginal_model(X, 1, PRIOR)
    return model, {"weights": np.ones(1), "probs": X.mean(axis=0, keepdims=True).clip(0.1, 0.9)}


def exact(ones, n):
    return stats.beta(2 + np.asarray(ones), 2 + n - np.asarray(ones))


def gaps(tree, of):
    """Distances of the posterior means of p, p² and p³ from exact ones, in Monte Carlo standard errors."""
    probs = tree["posterior"]["probs"]
    powers = xr.Dataset({f"power {k}": probs**k for k in (1, 2, 3)})
    errors = az.mcse(powers, method="mean")
    return np.array(
        [(powers[f"power {k}"].mean(("chain", "draw")) - of.moment(k)) / errors[f"power {k}"] for k in (1, 2, 3)]
    )


def force(monkeypatch, trajectories):
    """Have everything drawn by these, wherever it is, and turns kept however few are accepted."""
    monkeypatch.setattr(posterior, "trajectories_for", lambda departures: trajectories)
    monkeypatch.setattr(posterior, "LEAST_ACCEPTED", 0.0)


@pytest.fixture(scope="module")
def near_normal():
    return sample(*one_class(answers(*DATA["near_normal"])), seed=1, **LENGTHS)


@pytest.fixture(scope="module")
def somewhat_normal():
    return sample(*one_class(answers(*DATA["somewhat_normal"])), seed=1, **LENGTHS)


def test_quarter_turns_are_taken_where_the_posterior_is_near_normal(near_normal):
    stats_ = near_normal["sample_stats"]
    assert stats_.attrs["trajectories"] == QUARTER_TURNS
    assert (stats_["n_steps"] == 1).all()
    assert not stats_["diverging"].any()


def test_eighth_turns_are_taken_where_the_posterior_is_not_quite_as_near(somewhat_normal):
    stats_ = somewhat_normal["sample_stats"]
    assert stats_.attrs["trajectories"] == EIGHTH_TURNS
    assert (stats_["n_steps"] == 3).all()
    assert not stats_["diverging"].any()


def test_their_moments_are_the_exact_ones(near_normal, somewhat_normal):
    for name, tree in {"near_normal": near_normal, "somewhat_normal": somewhat_normal}.items():
        assert np.abs(gaps(tree, exact(*DATA[name]))).max() < 4


@pytest.mark.parametrize(("ones", "n"), [*DATA.values(), ([1], 3)], ids=[*DATA, "far_from_normal"])
def test_a_chain_of_a_calibration_is_that_of_a_comparison(ones, n):
    model, start = one_class(answers(np.atleast_1d(ones), n))
    tree = sample(model, start, draws=50, tune=50, chains=1, seed=7)
    with without_c_compiler():
        density = UnconstrainedDensity(model, jacobian=True)
    seed = int(np.random.SeedSequence(7).generate_state(1)[0])
    draws, _, trajectories = sample_chain(density, start, draws=50, tune=50, seed=seed)
    assert trajectories == tree["sample_stats"].attrs["trajectories"]
    np.testing.assert_array_equal(draws["probs"], tree["posterior"]["probs"][0])


@pytest.mark.parametrize(("turned", "times"), [("near_normal", 3), ("somewhat_normal", 2)])
def test_a_gradient_buys_more_effective_draws_of_the_log_density_than_by_nuts(turned, times, request, monkeypatch):
    """Since NUTS keeps energy. Of every parameter a gradient buys more, too."""
    tree, (ones, n) = request.getfixturevalue(turned), DATA[turned]
    force(monkeypatch, NUTS)
    nuts = sample(*one_class(answers(ones, n)), seed=1, **LENGTHS)
    assert nuts["sample_stats"]["n_steps"].max() > tree["sample_stats"]["n_steps"].max()

    def per_gradient(tree):
        probs = tree["posterior"]["probs"]
        log_density = exact(ones, n).logpdf(probs.to_numpy()).sum(axis=(2, 3))
        quantities = xr.Dataset({"probs": probs, "log density": (("chain", "draw"), log_density)})
        ess = az.ess(quantities, method="bulk") / float(tree["sample_stats"]["n_steps"].sum())
        return float(ess["log density"]), ess["probs"].to_numpy()

    (log_density, probs), (theirs, their_probs) = per_gradient(tree), per_gradient(nuts)
    assert log_density > times * theirs
    assert (probs > their_probs).all()


@pytest.mark.parametrize("trajectories", TURNS)
def test_they_keep_a_posterior_that_is_far_from_normal(trajectories, monkeypatch):
    """Forced upon three samples: not all are accepted, and what is drawn is still the posterior."""
    force(monkeypatch, trajectories)
    ones = np.array([3, 1])
    tree = sample(*one_class(answers(ones, 3)), seed=2, **LENGTHS)
    assert tree["sample_stats"]["n_steps"].max() == 2 ** TURNS[trajectories][0] - 1
    assert tree["sample_stats"]["mean_tree_accept"].mean() < 0.99
    assert np.abs(gaps(tree, exact(ones, 3))).max() < 4


class Quartic:
    """The density exp(-v⁴/4) in each of three coordinates; its gradient at 1 and -1 is a standard normal's."""

    size = 3

    def value_and_gradient(self, v):
        return -(v**4).sum() / 4, -(v**3)


class Normal:
    """The standard normal density in three coordinates."""

    size = 3

    def value_and_gradient(self, v):
        return -(v**2).sum() / 2, -v


def drawn(density, trajectories):
    """Draws (4, 5000, 3) and how often they were accepted, with no time for nutpie to find other scales than 1."""
    settings = {"draws": 5000, "tune": 1, "target_accept": 0.5, "trajectories": trajectories}
    chains = [Chain(density, np.zeros(3), np.eye(3), seed, **settings) for seed in range(4)]
    for chain in chains:
        chain.wait()
    parts = [chain.drawn() for chain in chains]
    return np.stack([v for v, _ in parts]), np.stack([told["mean_tree_accept"] for _, told in parts])


@pytest.fixture(scope="module")
def quartic():
    return {trajectories: drawn(Quartic(), trajectories) for trajectories in TURNS}


@pytest.mark.parametrize(("trajectories", "energy"), [(QUARTER_TURNS, 0.0), (EIGHTH_TURNS, 0.25)])
def test_of_a_normal_posterior_draws_are_uncorrelated_and_their_squares_as_the_cosines_say(trajectories, energy):
    """From draw to draw: v not at all, v² by the mean of the squared cosines of the angles turned by."""
    v, accepted = drawn(Normal(), trajectories)
    assert accepted == pytest.approx(1)
    assert within_error((v[:, 1:] * v[:, :-1]).mean(axis=-1), 0.0)
    square = (v**2 - 1) / np.sqrt(2)
    assert within_error((square[:, 1:] * square[:, :-1]).mean(axis=-1), energy)


def within_error(values, expected):
    """Whether the mean of values (chains, draws) is within 4 Monte Carlo standard errors."""
    error = float(az.mcse(xr.Dataset({"x": (("chain", "draw"), values)}), method="mean")["x"])
    return abs(values.mean() - expected) < 4 * error


@pytest.mark.parametrize("trajectories", TURNS)
@pytest.mark.parametrize("power", [2, 4, 6])
def test_far_from_normal_moments_are_exact(quartic, trajectories, power):
    exact = 2 ** (power / 2) * gamma((power + 1) / 4) / gamma(1 / 4)
    draws, _ = quartic[trajectories]
    assert within_error((draws**power).mean(axis=-1), exact)


def turned(density, v, p, size, steps):
    """The acceptance probability after each of so many turns by this angle, by the formulas of `posterior.nuts`."""
    value, gradient = density.value_and_gradient(v)
    begin, found = p @ p / 2 - value, []
    for _ in range(steps):
        p = p + size / 2 * (gradient + v)
        v, p = v * np.cos(size) + p * np.sin(size), p * np.cos(size) - v * np.sin(size)
        value, gradient = density.value_and_gradient(v)
        p = p + size / 2 * (gradient + v)
        found.append(min(1.0, np.exp(begin - (p @ p / 2 - value))))
    return found


def of_quarter_turns(v, p):
    return turned(Quartic(), v, p, np.pi / 2, 1)


def of_eighth_turns(v, p):
    """Three steps on, or one on and two back: as likely as their mirror images, since p is as likely as -p."""
    on, back = (turned(Quartic(), v, p, side * np.pi / 4, 3) for side in (1, -1))
    return [*on, on[0], *back[:2]]


@pytest.mark.parametrize(
    ("trajectories", "formula"), [(QUARTER_TURNS, of_quarter_turns), (EIGHTH_TURNS, of_eighth_turns)]
)
def test_nutpie_accepts_as_the_formula_says(quartic, trajectories, formula):
    """Each draw with a momentum anew: the mean of the formula's probabilities is that of nutpie's."""
    draws, said = quartic[trajectories]
    rng = np.random.default_rng(4)
    told = [[np.mean(formula(v, rng.normal(size=3))) for v in chain] for chain in draws]
    assert 0.1 < said.mean() < 0.98  # or there would be nothing to see
    assert within_error(said - told, 0.0)


class LogGamma:
    """The density of log G, G ~ Gamma(shape), on the scale of its mode: skewed unless the shape is large."""

    size = 1

    def __init__(self, shape):
        self.shape = shape

    def value_and_gradient(self, v):
        x = v / np.sqrt(self.shape)
        return float((self.shape * (x - np.exp(x))).sum()), np.sqrt(self.shape) * (1 - np.exp(x))


@pytest.mark.parametrize(
    ("shape", "trajectories"),
    [(3, NUTS), (15, NUTS), (30, EIGHTH_TURNS), (80, EIGHTH_TURNS), (300, QUARTER_TURNS), (np.inf, NUTS)],
    ids=str,
)
def test_skewness_three_deviations_off_is_seen(shape, trajectories):
    """A density that is no number, as at an infinite shape, is not near normal either."""
    with np.errstate(invalid="ignore"):
        assert trajectories_for([departure(LogGamma(shape), np.zeros(1), np.eye(1))]) == trajectories


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_departure_is_the_largest_of_both_sides(side):
    shape, x = 20, 3 / np.sqrt(20)
    sides = [shape * (np.exp(end) - 1 - end) - 4.5 for end in (x, -x)]
    assert departure(LogGamma(shape), np.zeros(1), side * np.eye(1)) == pytest.approx(max(map(abs, sides)), abs=1e-12)


@pytest.mark.parametrize(
    ("departures", "trajectories"),
    [
        ([0.5], QUARTER_TURNS),
        ([0.51], EIGHTH_TURNS),
        ([1.2], EIGHTH_TURNS),
        ([1.21], NUTS),
        ([0.1, 0.8], EIGHTH_TURNS),
        ([0.1, np.nan], NUTS),
        ([np.nan, 0.1], NUTS),
        ([np.inf, 0.1], NUTS),
    ],
    ids=str,
)
def test_the_start_that_is_least_near_decides(departures, trajectories):
    assert trajectories_for(departures) == trajectories


class TwoModes:
    """A standard normal with a wide second part, whose mode is 4 deviations off: unseen by draws of the first."""

    size = 2

    def value_and_gradient(self, v):
        near, far = np.log(0.8) - v[0] ** 2 / 2, np.log(0.2 / 3) - (v[0] - 4) ** 2 / 18
        weight = 1 / (1 + np.exp(far - near))
        slope = -weight * v[0] - (1 - weight) * (v[0] - 4) / 9
        return float(np.logaddexp(near, far) - v[1] ** 2 / 2), np.array([slope, -v[1]])


def test_a_second_mode_within_reach_is_seen():
    assert trajectories_for([departure(TwoModes(), np.zeros(2), np.eye(2))]) == NUTS


@pytest.mark.parametrize("trajectories", TURNS)
def test_where_too_few_are_accepted_all_is_drawn_again_by_nuts(trajectories, monkeypatch):
    """Taken for near normal, three samples are not quite, and the draws are those of NUTS from the start."""
    force(monkeypatch, NUTS)
    short = {"draws": 500, "tune": 200, "chains": 2, "seed": 2}
    by_nuts = sample(*one_class(answers([3, 1], 3)), **short)
    force(monkeypatch, trajectories)
    monkeypatch.setattr(posterior, "LEAST_ACCEPTED", 0.99)
    again = sample(*one_class(answers([3, 1], 3)), **short)
    assert again["sample_stats"].attrs["trajectories"] == NUTS
    xr.testing.assert_identical(again["posterior"].to_dataset(), by_nuts["posterior"].to_dataset())


def test_one_start_that_is_not_near_normal_makes_all_chains_nuts(monkeypatch):
    answer = iter([0.1, 2.0])
    monkeypatch.setattr(posterior, "departure", lambda *path: next(answer))
    model, start = one_class(answers(ONES, N))
    tree = sample(model, [start, start], seed=1, draws=20, tune=100, chains=2)
    assert tree["sample_stats"].attrs["trajectories"] == NUTS
    assert "maxdepth_reached" in tree["sample_stats"]


def test_trees_of_turns_do_not_warn_of_their_depth(near_normal, somewhat_normal):
    assert "maxdepth_reached" not in near_normal["sample_stats"]
    assert "maxdepth_reached" not in somewhat_normal["sample_stats"]
