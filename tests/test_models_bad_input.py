"""Model builders refuse bad input with a ValueError that names the argument; unusual but good input is taken."""

from dataclasses import dataclass

import numpy as np
import pytest
from random_mixtures import declared_density, random_bmm, random_gmm

from models import bmm, gmm, pmm

X = np.random.default_rng(0).normal(size=(10, 2))
COUNTS = np.random.default_rng(0).integers(0, 4, size=(10, 2))
GMM_PRIOR, BMM_PRIOR = gmm.GMMPrior.weakly_informative(X, 2), bmm.BMMPrior()
GMM_BUILDERS = [gmm.build_model, gmm.build_marginal_model]
BMM_BUILDERS = [bmm.build_model, bmm.build_marginal_model]

BAD_MATRICES = [
    ([1.0, 2.0], r"X must be two-dimensional .* got 1 dimension\. Reshape .* X.reshape\(-1, 1\)"),
    (1.0, r"X must be two-dimensional .* got 0 dimensions"),
    (np.zeros((2, 2, 2)), "X must be two-dimensional"),
    (np.zeros((0, 2)), r"X must have at least one row and one column, got 0 sample\(s\) and 2 feat"),
    (np.zeros((2, 0)), "X must have at least one row and one column"),
    ([[1.0, np.inf]], "X must be finite"),
    ([["a", "b"]], "X must hold numbers"),
    ([["1", "0"]], "X must hold numbers, got '1' of type str in column 0: .*; drop column 0"),
    ([[1.0], [1.0, 2.0]], "X must hold numbers in rows of equal length"),
    ([[1.0 + 1j]], "X must hold numbers"),
    (None, "X must hold numbers, got None"),
]


@pytest.mark.parametrize("build", GMM_BUILDERS + BMM_BUILDERS)
@pytest.mark.parametrize(("bad", "message"), BAD_MATRICES)
def test_bad_data_are_refused(build, bad, message):
    with pytest.raises(ValueError, match=message):
        build(bad, 2, None)


@pytest.mark.parametrize("build", BMM_BUILDERS)
@pytest.mark.parametrize(
    ("bad", "n_trials", "message"),
    [
        ([[0, 2]], 1, r"X must hold only 0 and 1 .* got values from 0 to 2; .* misfit is X\[0, 1\] = 2"),
        ([[0.5, 1]], 1, r"the first misfit is X\[0, 0\] = 0.5"),
        ([[0, -1]], 1, r"the first misfit is X\[0, 1\] = -1"),
        ([[0, 5]], 4, r"X must hold whole numbers from 0 to n_trials \(4 at most\), got values from 0 to 5"),
        ([[3, 3]], [3, 2], r"the first misfit is X\[0, 1\] = 3"),
        ([[1, 1]], 0, "n_trials must be whole numbers of at least 1, got 0"),
        ([[1, 1]], 1.5, "n_trials must be whole numbers of at least 1, got 1.5"),
        ([[1, 1]], np.nan, "n_trials must be whole numbers of at least 1, got nan"),
        ([[1, 1]], "3", "n_trials must hold numbers, got '3'"),
        ([[1, 1]], [1, 2, 3], r"n_trials must be a number or have shape \(2,\) or \(1, 2\) .* got \(3,\)"),
    ],
)
def test_bad_counts_and_trials_are_refused(build, bad, n_trials, message):
    with pytest.raises(ValueError, match=message):
        build(bad, 2, BMM_PRIOR, n_trials=n_trials)


@pytest.mark.parametrize("n_components", [0, -1, 2.0, "2", True, None, [2]])
def test_a_bad_number_of_components_is_refused(n_components):
    for build in GMM_BUILDERS:
        with pytest.raises(ValueError, match="n_components must be a whole number of at least 1, got"):
            build(X, n_components, None)
    for build in BMM_BUILDERS:
        with pytest.raises(ValueError, match="n_components must be a whole number of at least 1, got"):
            build(COUNTS, n_components, None, n_trials=3)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (BMM_PRIOR, "prior must be None, a GMMPrior or a GMMIndependentPrior, got BMMPrior"),
        ("flat", "prior must be None, a GMMPrior or a GMMIndependentPrior, got str"),
        (gmm.GMMPrior.weakly_informative(X, 3), r"prior.concentration must .* shape \(2,\), got \(3,\)"),
        (
            gmm.GMMPrior.weakly_informative(X[:, :1], 2),
            r"prior.mean must have shape \(2,\) like a row of X, got \(1,\)",
        ),
    ],
)
@pytest.mark.parametrize("build", GMM_BUILDERS)
def test_a_gmm_prior_that_does_not_fit_is_refused(build, prior, message):
    with pytest.raises(ValueError, match=message):
        build(X, 2, prior)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (GMM_PRIOR, "prior must be None or a BMMPrior, got GMMPrior"),
        (bmm.BMMPrior(concentration=[2, 2, 2]), r"prior.concentration must .* shape \(2,\), got \(3,\)"),
        (bmm.BMMPrior(successes=[2, 2, 2]), r"prior.successes must .* shape \(2,\), got \(3,\)"),
        (bmm.BMMPrior(failures=[2]), r"prior.failures must .* shape \(2,\), got \(1,\)"),
    ],
)
@pytest.mark.parametrize("build", BMM_BUILDERS)
def test_a_bmm_prior_that_does_not_fit_is_refused(build, prior, message):
    with pytest.raises(ValueError, match=message):
        build(COUNTS, 2, prior, n_trials=3)


def read_only(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


GOOD_KINDS = {
    "float32": np.float32,
    "integers": np.int16,
    "lists": np.ndarray.tolist,
    "Fortran order": np.asfortranarray,
    "read-only": read_only,
}


@pytest.mark.parametrize("kind", GOOD_KINDS)
def test_unusual_data_are_computed_in_float64(kind):
    """The same whole numbers in any wrapping give the same log-likelihood to the last digits of float64."""
    rng = np.random.default_rng(0)
    whole, convert = np.round(10 * X), GOOD_KINDS[kind]
    theta, classes = random_gmm(2, 2, rng), random_bmm(2, 2, rng)
    expected = declared_density(gmm.build_marginal_model(whole, 2, None), ["x"])(theta.arrays())
    got = declared_density(gmm.build_marginal_model(convert(whole), 2, None), ["x"])(theta.arrays())
    assert got == pytest.approx(expected, rel=1e-14)
    assert got.dtype == np.float64
    expected = declared_density(bmm.build_marginal_model(COUNTS, 2, None, n_trials=3), ["x"])(classes.arrays())
    got = declared_density(bmm.build_marginal_model(convert(COUNTS), 2, None, n_trials=3), ["x"])(classes.arrays())
    assert got == pytest.approx(expected, rel=1e-14)


def test_booleans_are_bernoulli_data():
    classes = random_bmm(2, 2, np.random.default_rng(0))
    yes = COUNTS > 1
    expected = declared_density(bmm.build_marginal_model(yes.astype(float), 2, None), ["x"])(classes.arrays())
    for build in BMM_BUILDERS:
        point = classes.arrays() | ({"z": np.zeros(10, dtype=int)} if build is bmm.build_model else {})
        assert np.isfinite(declared_density(build(yes, 2, None), ["x"])(point))
    assert declared_density(bmm.build_marginal_model(yes, 2, None), ["x"])(classes.arrays()) == expected


def test_numbers_of_a_prior_are_positive_unless_it_says_that_they_are_real():
    @dataclass(frozen=True, eq=False, repr=False)
    class Shifted(pmm.PMMPrior):
        real = ("rate",)

    assert Shifted(rate=-1.5).rate == -1.5
    for prior, number in ((pmm.PMMPrior, "rate"), (Shifted, "shape")):
        with pytest.raises(ValueError, match=f"{number} must be positive, got -1"):
            prior(**{number: -1.0})
