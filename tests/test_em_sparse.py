"""Sparse counts: the fits and figures of the same dense X, without ever making X dense."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csr_array

import em
from em import (
    BernoulliMixtureEM,
    BinomialMixtureEM,
    GaussianMixtureEM,
    is_anomaly,
    likelihood_ratio_test,
    select,
)
from models.bmm import BMMParameters, BMMPrior, simulate

FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]


def rare_counts(n=300, D=6, m=1, seed=0):
    """Draw counts, mostly 0, of two classes; return them with a start."""
    rng = np.random.RandomState(seed)
    X, _ = simulate(BMMParameters([0.4, 0.6], rng.uniform(0.02, 0.5, size=(2, D))), n, m, rng)
    return X, BMMParameters([0.5, 0.5], rng.uniform(0.1, 0.6, size=(2, D)))


def estimator_of(m, **settings):
    return BinomialMixtureEM(2, n_trials=m, **settings) if np.max(m) > 1 else BernoulliMixtureEM(2, **settings)


def assert_same_fit(fit, dense):
    """The same sums in another order, over rows that the dense fit collapses to patterns."""
    np.testing.assert_allclose(fit.history_, dense.history_, rtol=1e-12)
    for name in ("weights_", "probs_"):
        np.testing.assert_allclose(getattr(fit, name), getattr(dense, name), rtol=0, atol=1e-10)


@pytest.mark.parametrize("m", [1, 3, [1, 2, 3, 4, 5, 6]], ids=["bernoulli", "binomial", "trials by column"])
@pytest.mark.parametrize("prior", [None, BMMPrior()], ids=["ML", "MAP"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore::em.NotConvergedWarning")
def test_sparse_and_dense_fits_from_the_same_start_are_the_same(m, prior, weighted):
    X, start = rare_counts(m=m)
    times = np.random.RandomState(1).randint(0, 4, size=len(X)) if weighted else None
    labels = np.random.RandomState(2).randint(2, size=len(X))
    for init in (start, labels):
        one, other = (estimator_of(m, prior=prior, init=init, max_iter=10, tol=0) for _ in range(2))
        fit, dense = one.fit(csr_array(X), sample_weight=times), other.fit(X, sample_weight=times)
        assert_same_fit(fit, dense)


@pytest.mark.parametrize("init", ["k-means++", "kmeans"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore::em.NotConvergedWarning")
@pytest.mark.parametrize("frozen", [None, {"probs": np.linspace(0.1, 0.9, 48).reshape(4, 12)}], ids=["free", "frozen"])
def test_named_starts_are_those_of_the_dense_data(init, weighted, frozen):
    """Distances are the same up to rounding, so the same rows are drawn."""
    X, _ = rare_counts(n=500, D=12, m=2)
    X[:, 0] = 2  # a constant column has no spread to scale by
    times = np.random.RandomState(1).randint(0, 4, size=len(X)) if weighted else None
    for seed in range(3):
        estimator = BinomialMixtureEM(4, n_trials=2, n_init=1, init=init, frozen=frozen, max_iter=1, random_state=seed)
        history = estimator.fit(csr_array(X), sample_weight=times).history_
        np.testing.assert_allclose(history, estimator.fit(X, sample_weight=times).history_, rtol=1e-12)


def test_every_figure_of_a_fit_is_that_of_the_dense_data():
    X, start = rare_counts(m=3)
    fit, S = BinomialMixtureEM(2, n_trials=3, init=start).fit(X), csr_array(X)
    times = np.random.RandomState(1).randint(0, 4, size=len(X))
    np.testing.assert_allclose(fit.predict_proba(S), fit.predict_proba(X), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(fit.predict(S), fit.predict(X))
    np.testing.assert_allclose(fit.score_samples(S), fit.score_samples(X), rtol=1e-13)
    np.testing.assert_array_equal(is_anomaly(fit, S), is_anomaly(fit, X))
    for criterion in ("score", "aic", "bic", "icl"):
        figure = getattr(fit, criterion)
        assert figure(S, sample_weight=times) == pytest.approx(figure(X, sample_weight=times), rel=1e-13)
    errors, dense = (fit.uncertainty(data, sample_weight=times).standard_errors for data in (S, X))
    np.testing.assert_allclose(errors, dense, rtol=1e-8)
    assert fit.impute(S).nnz == S.nnz


def test_bootstrap_selection_and_prediction_of_the_fitted_rows_take_sparse_rows():
    X, start = rare_counts(n=100)
    S, estimator = csr_array(X), BernoulliMixtureEM(2, init=start, tol=1e-2)
    fit = BernoulliMixtureEM(2, init=start).fit(S)
    sparse_table, table = (
        fit.uncertainty(data, kind="bootstrap", n_bootstrap=3, random_state=0).standard_errors for data in (S, X)
    )
    # each replicate stops within tol of its limit; of a prob at 1 the deviation is rounding
    np.testing.assert_allclose(sparse_table, table, rtol=1e-4, atol=1e-12)
    np.testing.assert_array_equal(estimator.fit_predict(S), estimator.fit(X).predict(X))
    chosen = select(S, BernoulliMixtureEM(n_init=1, random_state=0), [1, 2])
    assert chosen.best.bic == pytest.approx(select(X, chosen.estimator, [1, 2]).best.bic, rel=1e-10)


def test_a_saved_fit_of_sparse_rows_predicts_the_same(tmp_path):
    X, start = rare_counts()
    fit = BernoulliMixtureEM(2, init=start).fit(csr_array(X))
    em.save(fit, tmp_path / "fit.json")
    np.testing.assert_array_equal(
        em.load(tmp_path / "fit.json").predict_proba(csr_array(X)), fit.predict_proba(csr_array(X))
    )


@pytest.mark.parametrize("m", [1, 2])
def test_probs_of_0_and_1_make_the_same_rows_impossible(m):
    parameters = BMMParameters([0.2, 0.3, 0.5], [[1.0, 0.0, 0.4], [0.5, 0.2, 1.0], [1.0, 0.0, 0.0]])
    X = m * np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    fit = BinomialMixtureEM(3, n_trials=m, init=parameters, n_init=1)
    fit.parameters_, fit.n_features_in_ = parameters, 3
    np.testing.assert_allclose(fit.score_samples(csr_array(X)), fit.score_samples(X), rtol=1e-14)
    np.testing.assert_allclose(fit.predict_proba(csr_array(X)), fit.predict_proba(X), rtol=1e-14)
    assert np.isneginf(fit.score_samples(csr_array(X))).tolist() == [False, False, True, True, False]


# Every pair of a format and a type, of a format and a container, and of a type and a container.
@pytest.mark.parametrize(
    ("kind", "dtype", "container"),
    [
        (kind, dtype, ("array", "matrix")[(i + j) % 2])
        for i, kind in enumerate(FORMATS)
        for j, dtype in enumerate([bool, np.int8, np.float32])
    ],
)
def test_any_format_and_type_gives_the_same_fit_and_is_left_alone(kind, dtype, container):
    X, start = rare_counts(n=40)
    X = X.astype(dtype)
    expected = BernoulliMixtureEM(2, init=start).fit(csr_array(X)).history_
    S = getattr(sparse, f"{kind}_{container}")(X)
    assert BernoulliMixtureEM(2, init=start).fit(S).history_.tolist() == expected.tolist()
    assert (S.dtype, S.format) == (dtype, kind)


def test_duplicates_add_up_and_stored_zeros_count_as_none():
    cells, columns, starts = np.array([1.0, 0.0, 1.0, 1.0, 2.0]), np.array([1, 0, 1, 0, 1]), np.array([0, 3, 4, 5])
    S = csr_array((cells, columns, starts), shape=(3, 2))
    fit = BinomialMixtureEM(1, n_trials=2).fit(S)
    np.testing.assert_allclose(fit.probs_, S.toarray().mean(axis=0)[None] / 2, rtol=1e-15)
    np.testing.assert_array_equal(S.data, cells)
    np.testing.assert_array_equal(S.indices, columns)


def test_nothing_of_the_size_of_dense_x_is_ever_held():
    """All methods together stay below a tenth of the dense matrix: some rows at a time, n x K, and the stored cells."""
    n, D = 10_000, 2_000
    S = sparse.random_array((n, D), density=2e-3, format="csr", rng=np.random.default_rng(0))
    S.data[:] = 1
    tracemalloc.start()
    fit = BernoulliMixtureEM(2, n_init=1, init="kmeans", prior=BMMPrior(), tol=1, random_state=0).fit(S)
    fit.predict(S), fit.bic(S), fit.icl(S)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n * D / 10


@pytest.mark.parametrize(
    ("estimator", "X", "error", "message"),
    [
        (BernoulliMixtureEM(1), [[0, 2], [1, 0]], ValueError, r"only 0 and 1 .*; the first misfit is X\[0, 1\] = 2"),
        (BernoulliMixtureEM(1), [[0, 0], [0, -1]], ValueError, "Negative values in data"),
        (BernoulliMixtureEM(1), [[0, 0.5], [0, 1]], ValueError, r"X\[0, 1\] = 0.5"),
        (BernoulliMixtureEM(1), [[0, np.nan], [0, 1]], ValueError, "Missing cells need dense X"),
        (BernoulliMixtureEM(1), [[0, np.inf], [0, 1]], ValueError, "X must be finite where it is sparse"),
        (BernoulliMixtureEM(1), [[0, 1j], [0, 1]], ValueError, "X must hold numbers, got a sparse csr_array"),
        (BernoulliMixtureEM(1), [[0, 1]], ValueError, "at least two rows"),
        (BernoulliMixtureEM(1), np.zeros((2, 0)), ValueError, "at least one row and one column"),
        (BernoulliMixtureEM(3), [[0, 1], [1, 0]], ValueError, "n_components must be at most the number of samples 2"),
        (BinomialMixtureEM(1, n_trials=[1, 2, 3]), [[0, 1], [1, 0]], ValueError, "n_trials must be a number or have"),
        (BinomialMixtureEM(1, n_trials=[1, 2]), [[0, 3], [1, 0]], ValueError, r"first misfit is X\[0, 1\] = 3"),
        (BinomialMixtureEM(1, n_trials=[[1, 2], [2, 1]]), [[0, 1], [1, 0]], ValueError, "pass X.toarray"),
        (GaussianMixtureEM(1), [[0, 1], [1, 0]], TypeError, "X must be dense, got a sparse csr_array"),
    ],
)
def test_sparse_data_that_will_not_do_are_refused(estimator, X, error, message):
    with pytest.raises(error, match=message):
        estimator.fit(csr_array(X))


def test_what_needs_dense_data_says_so():
    X, start = rare_counts(n=20)
    fit = BernoulliMixtureEM(2, init=start).fit(X)
    with pytest.raises(TypeError, match=r"X must be dense for a parametric bootstrap.*pass kind='bootstrap'"):
        fit.uncertainty(csr_array(X), kind="parametric bootstrap")
    with pytest.raises(TypeError, match=r"X must be dense, got a sparse csr_array: pass X\.toarray"):
        likelihood_ratio_test(csr_array(X), BernoulliMixtureEM(), 1)
    with pytest.raises(ValueError, match="X has 3 features, but BernoulliMixtureEM is expecting 6"):
        fit.predict(csr_array(X[:, :3]))
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(20,\)"):
        BernoulliMixtureEM(2).fit(csr_array(X), sample_weight=[1, 2])
