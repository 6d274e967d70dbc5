"""What a stream refuses, keeps of the fit before it, and gives back after an error."""

import copy

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

import em.samples.sketch
from em import CategoricalMixtureEM, GaussianMixtureEM, PoissonMixtureEM, StreamSettings, merge
from em.estimator import MixtureEM
from em.status import NoMaximumWarning
from models.gmm import GMMParameters, simulate

TRUTH = GMMParameters([0.3, 0.7], [[0.0, 0.0], [2.5, 2.0]], [[[1.0, 0.3], [0.3, 0.8]], [[1.0, 0.0], [0.0, 1.5]]])
SMALL = StreamSettings(first_rows=60)
X2, _ = simulate(TRUTH, 100, 0)
FIT = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X2)


def test_what_a_stream_does_not_know_is_no_attribute_and_a_fit_forgets_the_stream(tmp_path):
    fit = copy.copy(FIT).begin_stream(X2)
    with pytest.raises(AttributeError, match=r"log_likelihood_ is not known for a stream, .* score\(X\) and bic\(X\)"):
        fit.log_likelihood_  # noqa: B018
    fit.report(X2, tmp_path / "stream.html")
    assert "100 samples" in (tmp_path / "stream.html").read_text()
    assert fit.bic(X2) == pytest.approx(FIT.bic(X2), rel=1e-9)
    np.testing.assert_allclose(fit.means_, FIT.means_, rtol=1e-4)
    assert "100 samples" in repr(fit.summary(X2))
    fit.fit(X2)
    assert not hasattr(fit, "stream_")


def test_a_stream_after_a_fit_starts_at_its_parameters_and_labels_stay():
    fit = copy.copy(FIT)
    fit._keep_parameters(FIT.parameters_.permute([1, 0]))
    X, _ = simulate(TRUTH, 900, 1)
    for batch in (X[:1], X[1:60], X[60:500], X[500:]):  # no fit so far, a first one, a start, a look
        fit.partial_fit(batch, settings=StreamSettings(first_rows=100))
        np.testing.assert_allclose(fit.means_[::-1], FIT.means_, atol=1)
    assert fit.n_samples_seen_ == 900


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GaussianMixtureEM(2, init=np.arange(100) % 2).partial_fit(X2), ValueError, "init must be one of"),
        (lambda: copy.copy(FIT).begin_stream(X2).partial_fit(X2, settings=SMALL), ValueError, "settings must stay"),
        (
            lambda: GaussianMixtureEM(2).partial_fit(X2, settings={"half_life": 9}),
            ValueError,
            "a StreamSettings",
        ),
        (lambda: copy.copy(FIT).begin_stream(X2).partial_fit(X2[:, :1]), ValueError, "X has 1 features, but"),
        (lambda: copy.copy(FIT).begin_stream(X2).partial_fit([[np.inf, 0]]), ValueError, "X must be finite"),
        (lambda: PoissonMixtureEM(2, exposure=np.ones((5, 2))).partial_fit(np.ones((5, 2))), ValueError, "in parts"),
        (lambda: PoissonMixtureEM(2).partial_fit(np.ones((5, 2)), exposure=2), TypeError, r"exposure .* a number or"),
        (
            lambda: sizes_of_rows().begin_stream(np.ones((5, 2))),
            ValueError,
            "exposure must be a number or one for each",
        ),
        (lambda: merge(FIT, FIT), TypeError, r"got none in argument 0, a \w+: call its begin_stream\(X\)"),
        (lambda: merge(copy.copy(FIT).begin_stream(X2), tied()), ValueError, "covariance_type, got 'full' and 'tied'"),
    ],
)
def test_calls_that_do_not_fit_a_stream_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def sizes_of_rows():
    return PoissonMixtureEM(1, exposure=np.arange(1.0, 11).reshape(5, 2)).fit(np.ones((5, 2)))


def tied():
    return GaussianMixtureEM(2, covariance_type="tied", n_init=1, random_state=0).fit(X2).begin_stream(X2)


def test_levels_are_those_of_the_first_call_or_given():
    fit = CategoricalMixtureEM(1).partial_fit([["a"], ["b"]])
    with pytest.raises(ValueError, match="name all levels in `levels`"):
        fit.partial_fit([["c"]])
    given = CategoricalMixtureEM(1, levels=[("a", "b", "c")]).partial_fit([["a"], ["b"]]).partial_fit([["c"]])
    assert given.probs_.shape == (1, 3)


FRAME = pd.DataFrame(X2, columns=["a", "b"])


@pytest.mark.parametrize("call", ["begin_stream", "partial_fit"])
@pytest.mark.parametrize("chunked", [False, True], ids=["in memory", "chunks"])
def test_after_a_fit_a_stream_has_its_header_and_its_levels(call, chunked):
    def parts(frame):
        return dd.from_pandas(frame, npartitions=2) if chunked else frame

    fit = GaussianMixtureEM(1, random_state=0).fit(FRAME)
    for given, message in ((FRAME[["b", "a"]], "same order"), (FRAME[["a"]], "feature names|1 features")):
        with pytest.raises(ValueError, match=message):
            getattr(fit, call)(parts(given))
        assert not hasattr(fit, "stream_")
        assert (fit.n_features_in_, list(fit.feature_names_in_)) == (2, ["a", "b"])
    classes = CategoricalMixtureEM(1, random_state=0).fit(pd.DataFrame({"x": ["a", "b"] * 5}))
    with pytest.raises(ValueError, match=r"known levels, got 'c'"):
        getattr(classes, call)(parts(pd.DataFrame({"x": ["b", "c"] * 5})))
    getattr(classes, call)(parts(pd.DataFrame({"x": ["b", "b"] * 50})))
    assert classes.levels_ == (("a", "b"),)
    assert classes.probs_.shape == (1, 2)


def test_partial_fit_is_all_or_nothing_in_chunks_and_under_an_interrupt(monkeypatch):
    X, _ = simulate(TRUTH, 300, 0)
    fit = GaussianMixtureEM(2, n_init=2, random_state=0).partial_fit(X, settings=SMALL)
    before = dict(vars(fit))
    bad = X.copy()
    bad[250, 0] = np.inf
    with pytest.raises(ValueError, match=r"^chunk 2: X must be finite"):
        fit.partial_fit(da.from_array(bad, chunks=(100, 2)))
    assert vars(fit) == before
    monkeypatch.setattr(GaussianMixtureEM, "_keep_stream", interrupted)  # after looks, which set parameters_
    with pytest.raises(KeyboardInterrupt):
        fit.partial_fit(np.tile(X, (3, 1)))
    assert vars(fit) == before


def interrupted(*_):
    raise KeyboardInterrupt


def test_the_sample_of_a_stream_begun_by_chunks_is_one_of_all_rows(monkeypatch):
    monkeypatch.setattr("em.streams.state.MOST_ROWS", 2048)
    monkeypatch.setattr(em.samples.sketch, "MOST_SKETCHED", 100)
    monkeypatch.setattr(em.samples.sketch, "FEWEST_SKETCHED", 50)
    X, _ = simulate(TRUTH, 3000, 0)
    chunked = da.from_array(X, chunks=(1000, 2))
    part, whole = (copy.copy(FIT).begin_stream(chunked, settings=StreamSettings(first_rows=n)) for n in (60, 2000))
    assert whole.stream_.whole
    assert whole.stream_.row_weights.sum() == 3000
    assert not part.stream_.whole
    assert part.stream_.row_weights.sum() == pytest.approx(3000 * part.stream_.share, rel=0.1)
    np.testing.assert_allclose(part.means_, whole.means_, rtol=1e-9)


class WholeMixtureEM(GaussianMixtureEM):
    """A family whose statistics do not add up over parts of the samples."""

    _e_step_of = MixtureEM._e_step_of


def test_a_family_that_needs_all_rows_at_once_says_so_of_parts():
    said, estimator = "X must be in memory and whole: the M-step of a WholeMixtureEM", WholeMixtureEM(2, random_state=0)
    with pytest.raises(ValueError, match=said):
        estimator.fit(da.from_array(X2, chunks=(50, 2)))
    with pytest.warns(NoMaximumWarning, match=said):
        estimator.partial_fit(X2, settings=SMALL)
