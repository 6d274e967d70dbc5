"""The fused passes compute what the textbook defines, to the last digits, on hard data."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array

from benchmarks.digits import ALLOWED, OURS, bernoulli_stresses, gaussian_stresses
from em.bmm import BINOMIAL
from em.engine.blocks import CHUNK_NUMBERS
from em.gmm.collapse import _least_eigenvalues, scales_of, why_collapsed
from em.gmm.natural_form import NaturalForm
from em.gmm.passes import GaussianRows, gaussian_pass
from em.gmm.statistics import GaussianStatistics
from em.steps.conjugate import distinct
from em.steps.problem import e_step, statistics_of
from models.bmm import BMMParameters
from models.gmm import GMMParameters
from models.gmm.structures import COVARIANCE_TYPES


def random_gmm(K, D, rng, kind):
    root = rng.normal(size=(K, D, D)) / np.sqrt(D)
    matrices = root @ np.swapaxes(root, 1, 2) + 0.5 * np.eye(D)
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    covariances = {"full": matrices, "tied": matrices[0], "diag": variances, "spherical": variances[:, 0]}[kind]
    return GMMParameters(rng.dirichlet(np.ones(K)), rng.normal(size=(K, D)), covariances, kind)


def assert_same_sums(sums, wanted, size):
    """Every sum agrees to 1e-12 of the sum of its terms' absolute values; ``size`` bounds that of one term."""
    (log_likelihood, statistics), (expected_log_likelihood, expected) = sums, wanted
    assert abs(log_likelihood - expected_log_likelihood) <= 1e-12 * abs(expected_log_likelihood)
    total = expected.counts.sum()
    for name in set(vars(expected)) - {"covariance_type", "centers"}:
        np.testing.assert_allclose(
            getattr(statistics, name), getattr(expected, name), rtol=0, atol=1e-12 * total * size
        )


def count_pass(X, trials, parameters, weights, lean=False):
    trials = trials[0] if trials.strides[0] == 0 else trials
    theta = {name: array[None] for name, array in parameters.arrays().items()}
    expect = e_step(BINOMIAL, BINOMIAL.rows(X, trials, lean=lean), weights)
    (log_likelihood,), statistics = expect(theta, np.zeros(1, dtype=int))
    return float(log_likelihood), statistics_of({name: array[0] for name, array in statistics.items()})


@pytest.mark.parametrize("D", [1, 3, 6])  # products written out, and those of BLAS
@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_the_natural_form_is_the_textbook_steps(kind, D):
    rng = np.random.RandomState(D)
    parameters = random_gmm(4, D, rng, kind)
    X, weights = 2 * rng.normal(size=(700, D)), rng.uniform(0, 3, size=700)  # 700 is not a multiple of a block
    size = D * np.abs(X).max() ** 2
    for sample_weight in [None, weights]:
        log_likelihood, moments = gaussian_pass(X, parameters, sample_weight)
        exact, wanted = GaussianRows(X, NaturalForm(kind, X.shape[-1]), sample_weight).centred(parameters)
        assert not moments.centers.any()  # it is the natural form that is tried
        assert_same_sums((log_likelihood, about(parameters.means, moments)), (exact, wanted), size)


@pytest.mark.parametrize("far", [20.0, 60.0])  # 1e-90 and 1e-800: the second is no float
@pytest.mark.parametrize("kind", ["full", "diag"])
def test_rows_whose_densities_are_no_floats_have_the_sums_of_the_definition(far, kind):
    parameters = random_gmm(3, 2, np.random.RandomState(0), kind)
    X = np.random.RandomState(1).normal(size=(300, 2))
    X[7] = far
    log_likelihood, moments = gaussian_pass(X, parameters)
    assert not moments.centers.any()
    exact = GaussianRows(X, NaturalForm(kind, X.shape[-1])).centred(parameters)
    assert_same_sums((log_likelihood, about(parameters.means, moments)), exact, 2 * far**2)


def about(centers, moments):
    """Moments about 0 as those about other centres."""
    kind, N, first = moments.covariance_type, moments.counts, moments.first
    outer = first[:, :, None] * centers[:, None, :]
    squares = N[:, None, None] * centers[:, :, None] * centers[:, None, :] - outer - outer.swapaxes(1, 2)
    change = {
        "full": squares,
        "tied": squares.sum(axis=0),
        "diag": np.diagonal(squares, axis1=1, axis2=2),
        "spherical": np.trace(squares, axis1=1, axis2=2),
    }[kind]
    return GaussianStatistics(kind, centers, N, first - N[:, None] * centers, moments.second + change)


@pytest.mark.parametrize("same_trials", [True, False])
def test_lean_and_sparse_rows_give_the_sums_of_whole_ones(same_trials):
    rng = np.random.RandomState(0)
    trials = np.broadcast_to(3.0, (700, 5)) if same_trials else rng.randint(1, 6, size=(700, 5)).astype(float)
    X = rng.binomial(trials.astype(int), 0.3).astype(float)
    parameters = BMMParameters(rng.dirichlet(np.ones(4)), rng.uniform(0.01, 0.99, size=(4, 5)))
    for weights in [None, rng.uniform(0, 3, size=700)]:
        wanted = count_pass(X, trials, parameters, weights)
        assert_same_sums(count_pass(X, trials, parameters, weights, lean=True), wanted, 5)
        if same_trials:
            assert_same_sums(count_pass(csr_array(X), trials, parameters, weights), wanted, 5)


@pytest.mark.parametrize("same_trials", [True, False])
@pytest.mark.parametrize("impossible", [False, True])
def test_passes_agree_where_probs_are_0_or_1(same_trials, impossible):
    rng = np.random.RandomState(0)
    trials = np.broadcast_to(2.0, (700, 3)) if same_trials else rng.randint(2, 5, size=(700, 3)).astype(float)
    probs = np.array([[1.0, 0.0, 0.4], [0.5, 0.2, 1.0], [0.3, 0.6, 0.0], [1.0, 0.0, 1.0]])
    parameters, z = BMMParameters([0.2, 0.3, 0.4, 0.1], probs), rng.randint(4, size=700)
    X = rng.binomial(trials.astype(int), probs[z]).astype(float)
    if impossible:
        X[600] = [0, 1, 1]  # by the second feature in components 0 and 3, by the third in 1 and 2
    weights = rng.uniform(0.1, 3, size=700)
    wanted = count_pass(X, trials, parameters, weights)
    passes = [count_pass(X, trials, parameters, weights, lean=True)]
    if same_trials:
        passes.append(count_pass(csr_array(X), trials, parameters, weights))
    for one in passes:
        assert np.isneginf([one[0], wanted[0]]).all() == impossible
        assert_same_sums((0.0, one[1]) if impossible else one, (0.0, wanted[1]) if impossible else wanted, 4)


def test_an_emptied_component_takes_no_share():
    parameters = GMMParameters([1.0, 0.0], [[0.0], [0.0]], [[[1.0]], [[1.0]]])
    log_likelihood, statistics = gaussian_pass(np.zeros((3, 1)), parameters)
    np.testing.assert_allclose(log_likelihood, -1.5 * np.log(2 * np.pi), rtol=1e-15)
    np.testing.assert_array_equal(statistics.counts, [3, 0])


def all_bits(result):
    log_likelihood, statistics = result
    return [log_likelihood, *(np.asarray(value).tolist() for value in vars(statistics).values())]


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_type_order_and_place_of_the_data_change_no_bit(kind, tmp_path):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(20_077, 3)).astype(np.float32)
    np.save(tmp_path / "X.npy", X.astype(float))
    parameters = random_gmm(3, 3, rng, kind)
    alone = all_bits(gaussian_pass(X.astype(float), parameters))
    for other in [X, np.asfortranarray(X.astype(float)), np.load(tmp_path / "X.npy", mmap_mode="r")]:
        assert all_bits(gaussian_pass(other, parameters)) == alone


def test_weights_are_frequencies():
    rng = np.random.RandomState(0)
    X, frequencies, parameters = rng.normal(size=(300, 2)), rng.randint(0, 4, size=300), random_gmm(3, 2, rng, "full")
    repeated = gaussian_pass(np.repeat(X, frequencies, axis=0), parameters)
    assert_same_sums(gaussian_pass(X, parameters, frequencies), repeated, 10)


@pytest.mark.parametrize("stress", gaussian_stresses(10_000) + bernoulli_stresses(100), ids=lambda stress: stress.name)
@pytest.mark.parametrize("form", OURS)
def test_log_likelihood_keeps_its_digits_under_stress(stress, form):
    assert stress.error(OURS[form]) <= ALLOWED


def test_where_digits_would_cancel_the_centred_form_is_taken():
    rng = np.random.RandomState(0)
    wide, X = random_gmm(2, 3, rng, "full"), rng.normal(size=(50, 3))
    narrow = GMMParameters(wide.weights, wide.means, wide.covariances * 1e-8)
    far = GMMParameters(wide.weights, wide.means + 1e5, wide.covariances)
    one = GMMParameters(wide.weights, wide.means, wide.covariances * np.array([1.0, 1e-8])[:, None, None])
    of_all = [wide, narrow, far, one]
    form = NaturalForm("full", 3)
    theta = {name: np.stack([of_one.arrays()[name] for of_one in of_all]) for name in wide.arrays()}
    narrow_ones = [[False, False], [True, True], [True, True], [False, True]]
    np.testing.assert_array_equal(form.cancels(theta, form.natural(theta)), narrow_ones)
    log_likelihood, statistics = GaussianRows(X, form).expect(theta, np.arange(4))
    centers = np.where(np.array(narrow_ones)[..., None], theta["means"], 0.0)
    np.testing.assert_array_equal(statistics["centers"], centers)
    alone = [gaussian_pass(X, parameters)[0] for parameters in of_all]
    np.testing.assert_allclose(log_likelihood, alone, rtol=1e-14)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_a_narrow_component_among_others_has_the_sums_of_the_definition(kind):
    rng = np.random.RandomState(0)
    theta, scales = random_gmm(3, 2, rng, kind), np.array([1.0, 1e-7, 1.0])
    if kind != "tied":
        narrow = theta.covariances * scales.reshape(-1, *[1] * (theta.covariances.ndim - 1))
        theta = GMMParameters(theta.weights, theta.means, narrow, kind)
    X = np.concatenate([rng.normal(size=(300, 2)), theta.means[1] + 1e-4 * rng.normal(size=(20, 2))])
    rows = GaussianRows(X, NaturalForm(kind, X.shape[-1]), rng.randint(0, 3, size=320).astype(float))
    expected, exact = rows.centred(theta)
    (log_likelihood,), arrays = rows.expect({name: array[None] for name, array in theta.arrays().items()}, np.arange(1))
    of_run = GaussianStatistics(kind, **{name: array[0] for name, array in arrays.items()})
    assert log_likelihood == pytest.approx(expected, rel=1e-13)
    for name, array in of_run.about(theta.means).arrays().items():
        np.testing.assert_allclose(array, getattr(exact, name), rtol=1e-10, atol=1e-10 * np.abs(array).max())
    if kind != "tied":  # the moments of the narrow one have digits of their own
        np.testing.assert_allclose(of_run.second[1], exact.second[1], rtol=1e-12)
        np.testing.assert_array_equal(of_run.centers, [[0, 0], theta.means[1], [0, 0]])


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_runs_with_rows_and_weights_of_their_own_are_runs_alone(kind):
    rng = np.random.RandomState(1)
    X, weights = rng.normal(size=(3, 60, 2)), rng.uniform(0, 2, size=(3, 60))
    mixtures = [random_gmm(2, 2, rng, kind) for _ in range(3)]
    theta = {name: np.stack([one.arrays()[name] for one in mixtures]) for name in mixtures[0].arrays()}
    log_likelihood, statistics = GaussianRows(X, NaturalForm(kind, X.shape[-1]), weights).expect(theta, np.arange(3))
    for r, parameters in enumerate(mixtures):
        wanted = gaussian_pass(X[r], parameters, weights[r])
        of_run = GaussianStatistics(kind, **{name: array[r] for name, array in statistics.items()})
        assert_same_sums((log_likelihood[r], of_run), wanted, 20)


def test_a_pass_writes_to_the_memory_of_the_one_before():
    K, D = 20, 10
    rng = np.random.RandomState(0)
    X, parameters = rng.normal(size=(20_000, D)), random_gmm(K, D, rng, "full")
    rows = CHUNK_NUMBERS // (K + NaturalForm("full", D).n_statistics)  # of a block
    gaussian_pass(X, parameters)
    tracemalloc.start()
    try:
        gaussian_pass(X, parameters)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < rows * K * 8  # a fresh array of a block costs Dask's workers a page fault for each 4 kB


def test_rows_that_repeat_are_collapsed_and_others_left_alone():
    X = np.random.RandomState(0).randint(2, size=(70_000, 30)).astype(float)
    rows = BINOMIAL.rows(X)
    assert distinct(rows)[0] is rows
    few, frequencies = distinct(BINOMIAL.rows(X[:, :14]))
    assert len(few) <= 2**14
    assert frequencies.sum() == len(X)


@pytest.mark.parametrize("D", [1, 2, 5])
def test_no_eigenvalue_is_below_its_bound(D):
    rng = np.random.RandomState(D)
    factors = rng.normal(size=(50, 3, D, D)) * 10.0 ** rng.uniform(-3, 3, size=(50, 3, D, 1))
    scales = scales_of("full", np.cov(rng.normal(size=(D, 20))).reshape(1, D, D))
    covariances = factors @ factors.mT
    scaled = np.linalg.eigvalsh(scales @ covariances @ scales.mT)
    bounds = _least_eigenvalues(covariances, scales[:, None])
    assert (bounds > 0).all()
    assert (bounds <= scaled[..., 0] + 1e-9 * scaled[..., -1]).all()


def test_covariances_of_two_directions_below_zero_have_collapsed():
    covariances = np.array([[np.eye(3), np.diag([10.0, -0.1, -0.1])]])  # of a positive determinant
    (why,) = why_collapsed("full", covariances, np.full((1, 2), 50.0), np.eye(3)[None])
    assert why.startswith("component 1 fell onto a point or a plane")
