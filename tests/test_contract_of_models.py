"""Every family of the table is one mixture in all its rooms: both PyMC models, the prior, the simulator and EM."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from families import FAMILIES
from random_mixtures import NUMPY, all_labellings, declared_density, joint_density_of_labels
from scipy.special import logsumexp
from scipy.stats import ks_2samp

from comparisons.families import family_class
from models.supports import Simplex

K, D, N = 2, 2, 5
TOLERANCE = 1e-10  # sums of a few dozen terms of size 1 to 100, each right to 16 digits
DRAWS = 400
LEAST_P = 1e-5  # two hundred comparisons of right draws: one in 500 of them would fail at another seed


def parameters_of(row):
    """Return some parameters of a row."""
    return row.parameters(np.random.RandomState(0), K, D)


BAYESIAN = [row for row in FAMILIES if row.prior(K, D) is not None]
each_bayesian = pytest.mark.parametrize("family", BAYESIAN, ids=lambda family: family.name)
BOUNDED = [row for row in BAYESIAN if any(q.support.edges for q in parameters_of(row).quantities[1:])]


def pair_of(family, theta):
    """Return the pair of a row, with the options that its parameters and its sizes give."""
    pair = family_class(family.steps.__name__.removeprefix("em."))
    of_theta = {option.name: getattr(theta, option.name) for option in pair.options if hasattr(theta, option.name)}
    return pair(**of_theta, **family.options)


def on_the_boundary(theta):
    """Yield these parameters with the first entry of each quantity moved to each end of its support."""
    for quantity in theta.quantities[1:]:
        ends = [quantity.support.least, quantity.support.most] if quantity.support.edges else []
        for end in ends[: 1 if isinstance(quantity.support, Simplex) else 2]:
            array = theta.arrays()[quantity.name].copy()
            array[(0,) * array.ndim] = end
            if np.isfinite(end):
                yield replace(theta, **{quantity.name: quantity.support.normalised(array)})


def drawn_alike(ours, theirs, name):
    """Compare draws (n, ...) entry by entry."""
    for place in np.ndindex(ours.shape[1:]):
        p = ks_2samp(ours[:, *place], theirs[:, *place], method="asymp").pvalue
        assert p > LEAST_P, f"{name}{list(place)} drawn by NumPy and by PyMC differ, p = {p:.1g}"


@each_bayesian
@pytest.mark.parametrize("cells", ["complete", "missing"])
def test_densities_of_the_story_are_those_of_prior_and_em(family, cells):
    X, theta, _ = family.problem(0, K, D, N)
    X, prior, pair = X.astype(float), family.prior(K, D), pair_of(family, theta)
    if cells == "missing":
        X[1, 0] = X[3] = np.nan
    of_prior, of_em = prior.log_prob(theta), family.steps.e_step(X, theta, **family.options)[1]
    marginal = pair.build_marginal_model(X, K, prior)
    declared = declared_density(marginal, [quantity.name for quantity in theta.quantities])(theta.arrays())
    assert declared == pytest.approx(of_prior, abs=TOLERANCE), "declare of the story is not log_prob of the prior"
    summed_out = declared_density(marginal, ["x"])(theta.arrays())
    assert summed_out == pytest.approx(of_em, abs=TOLERANCE), (
        "natural, statistics or log_base of the story are not EM's"
    )
    of_labels = joint_density_of_labels(pair.build_model(X, K, prior))(theta, all_labellings(K, N))
    given_labels = logsumexp(of_labels) - declared
    assert given_labels == pytest.approx(of_em, abs=TOLERANCE), "given_label of the story is not EM's density"


@pytest.mark.parametrize("family", BOUNDED, ids=lambda family: family.name)
def test_log_densities_on_the_boundary_are_those_of_the_row(family):
    """Some samples are impossible in one component. An end at which the row says NaN is left out."""
    held = 0
    for theta in on_the_boundary(parameters_of(family)):
        X = family.simulate(theta, N, np.random.RandomState(0))
        with np.errstate(divide="ignore"):
            given_label = np.array([[family.log_prob(x, theta, k) for k in range(K)] for x in X])
        by_hand = logsumexp(np.log(theta.weights) + given_label, axis=1).sum()
        if np.isnan(by_hand):
            continue
        assert np.isfinite(given_label).any(axis=0).all(), "some sample must be possible in each component"
        pair, held = pair_of(family, theta), held + 1
        marginal = declared_density(pair.build_marginal_model(X, K, None), ["x"])(theta.arrays())
        of_labels = joint_density_of_labels(pair.build_model(X, K, None))(theta, all_labellings(K, N))
        of_em = family.steps.e_step(X, theta, **family.options)[1]
        assert [of_em, marginal, logsumexp(of_labels)] == pytest.approx([by_hand] * 3, abs=TOLERANCE), repr(theta)
    assert held, "log_prob of the row is NaN at every end of every support"


@each_bayesian
def test_draws_of_prior_and_simulator_are_those_of_the_story(family):
    X, theta, rng = family.problem(0, K, D, DRAWS)
    pair, prior = pair_of(family, theta), family.prior(K, D)
    model, names = pair.build_model(X, K, prior), [quantity.name for quantity in theta.quantities]
    ours = [pair.draw_parameters(prior, K, D, rng).arrays() for _ in range(DRAWS)]
    for name, theirs in zip(
        names, pm.draw([model[name] for name in names], DRAWS, random_seed=1, mode=NUMPY), strict=True
    ):
        drawn_alike(np.array([arrays[name] for arrays in ours]), theirs, name)
    fixed = pm.do(model, theta.arrays(), prune_vars=True)
    drawn_alike(pair.simulate(theta.arrays(), DRAWS, rng), pm.draw(fixed["x"], random_seed=2, mode=NUMPY), "x")
