"""A fitted model comes back from its file the same to the last bit; a file that is not what was saved is refused."""

import json
import os

import numpy as np
import pandas as pd
import pytest
import reference_data
from sklearn.exceptions import NotFittedError

from em import (
    BernoulliMixtureEM,
    BinomialMixtureEM,
    CategoricalMixtureEM,
    GaussianMixtureEM,
    KMeans,
    NotIdentifiableWarning,
    PoissonMixtureEM,
    VariationalMixture,
    load,
    save,
)
from em.saving import FORMAT, VERSION, _checksum, _decode, _encode, estimators
from models.bmm import BMMParameters, BMMPrior
from models.cmm import CMMPrior
from models.gmm import GMMParameters, GMMPrior
from models.pmm import PMMPrior

X = reference_data.faithful()
BITS = np.random.RandomState(1).uniform(size=(60, 4)) < np.repeat([0.2, 0.8], 30)[:, None]
COUNTS = np.random.RandomState(0).randint(5, size=(40, 3))
TRIALS = np.full((40, 3), 4, dtype=np.int8)
GAUSSIAN_START = GMMParameters([0.3, 0.7], X[:2], np.stack([np.cov(X.T)] * 2))
BINARY_START = BMMParameters([0.5, 0.5], np.repeat([[0.3], [0.6]], 4, axis=1))
LABELS = np.array(["no", "perhaps", "yes"], dtype=object)[np.hstack([COUNTS, COUNTS[::-1]]) % 3]
MODELS = {
    "gaussian": (GaussianMixtureEM(2, n_init=2, random_state=0), X),
    "gaussian, prior and start": (
        GaussianMixtureEM(2, prior=GMMPrior.weakly_informative(X, 2), init=GAUSSIAN_START, tol=np.float32(0.1)),
        X,
    ),
    "gaussian, labels": (GaussianMixtureEM(2, init=(X[:, 0] > 3).astype(np.uint8)), X),
    "bernoulli": (BernoulliMixtureEM(2, n_init=np.int64(2), random_state=np.int32(7)), BITS),
    "bernoulli, prior and start": (BernoulliMixtureEM(2, prior=BMMPrior([2, 3], 1.5), init=BINARY_START), BITS),
    "binomial": (BinomialMixtureEM(2, n_trials=[4, 4, 4], init=(COUNTS[:, 0] > 1).astype(int).tolist()), COUNTS),
    "binomial, trials of each cell": (BinomialMixtureEM(1, n_trials=TRIALS), COUNTS),
    "poisson, exposures": (PoissonMixtureEM(2, exposure=[1, 2, 0.5], prior=PMMPrior(), random_state=0), COUNTS),
    "categorical, strings": (CategoricalMixtureEM(2, prior=CMMPrior(), n_init=2, random_state=0), LABELS),
    "mean field": (VariationalMixture(2, prior=GMMPrior.weakly_informative(X, 2), n_init=1, random_state=0), X),
    "k-means": (KMeans(3, n_init=2, random_state=0), X),
    "k-means, given centres": (KMeans(2, init=X[:2].tolist()), X),
}
QUESTIONS = ["predict", "predict_proba", "score_samples", "score", "bic", "transform"]


@pytest.fixture(scope="module")
def fitted():
    return {name: estimator.fit(data) for name, (estimator, data) in MODELS.items()}


@pytest.fixture
def file(tmp_path, fitted):
    save(fitted["k-means"], tmp_path / "model.json")
    return tmp_path / "model.json"


def same(first, second):
    """Whether two values are of the same type and the same to the last bit."""
    if type(first) is not type(second):
        return False
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.shape == second.shape and first.tolist() == second.tolist()
    if hasattr(first, "__dataclass_fields__"):
        return all(same(getattr(first, name), getattr(second, name)) for name in first.__dataclass_fields__)
    return first == second


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_has_the_same_settings_attributes_and_predictions(name, fitted, tmp_path):
    fit, data = fitted[name], MODELS[name][1]
    save(fit, tmp_path / "model.json")
    loaded = load(tmp_path / "model.json")
    assert type(loaded) is type(fit)
    assert vars(loaded).keys() == vars(fit).keys()
    for key, value in vars(fit).items():
        assert same(vars(loaded)[key], value), key
    for question in (q for q in QUESTIONS if hasattr(fit, q)):
        np.testing.assert_array_equal(getattr(loaded, question)(data), getattr(fit, question)(data))
    if hasattr(fit, "sample") and fit.random_state is not None:
        np.testing.assert_array_equal(loaded.sample(5)[0], fit.sample(5)[0])
    assert os.listdir(tmp_path) == ["model.json"]


def test_every_estimator_of_em_can_be_saved():
    assert {type(estimator).__name__ for estimator, _ in MODELS.values()} == set(estimators())


def test_an_unidentified_model_keeps_its_free_direction_and_column_names(tmp_path):
    frame = pd.DataFrame({"coin": [0, 1, 1, 0, 1]})
    with pytest.warns(NotIdentifiableWarning):
        fit = BernoulliMixtureEM(2, random_state=0).fit(frame)
    assert fit.identifiability_.free_direction
    save(fit, tmp_path / "coin.json")
    loaded = load(tmp_path / "coin.json")
    assert loaded.identifiability_ == fit.identifiability_
    assert loaded.feature_names_in_.tolist() == ["coin"]
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(frame.rename(columns={"coin": "die"}))


def test_a_loaded_transformer_keeps_its_output(tmp_path):
    wide = KMeans(2, random_state=0).fit(X).set_output(transform="pandas")
    save(wide, tmp_path / "wide.json")
    assert load(tmp_path / "wide.json").transform(X).columns.tolist() == ["kmeans0", "kmeans1"]


@pytest.mark.parametrize(
    "value",
    [
        np.array([0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, np.inf, -np.inf, np.nan]),
        np.array([[0.1, np.nan], [2e-45, 65504.0]], dtype=np.float32),
        np.array([2**64 - 1, 0], dtype=np.uint64),
        np.array([-(2**63), 2**63 - 1]),
        np.empty((0, 3)),
        np.array(2.5),
        np.array([True, False]),
        np.array(["a", "ü\n"], dtype=object),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.float32(0.1),
        np.float64(0.1),
        [1, (2.5, None), {"a": [True, "x"]}],
        float("-inf"),
        10**30,
    ],
    ids=repr,
)
def test_values_come_back_with_type_shape_and_every_bit(value):
    back = _decode(json.loads(json.dumps(_encode("value", value), allow_nan=False)))
    assert type(back) is type(value)
    if isinstance(value, np.ndarray | np.generic):
        assert (back.dtype, back.shape) == (value.dtype, value.shape)
        if value.dtype.kind == "f":
            assert np.ascontiguousarray(back).tobytes() == np.ascontiguousarray(value).tobytes()
        else:
            assert back.tolist() == value.tolist()
    else:
        assert back == value


def test_an_unfitted_estimator_is_refused(tmp_path):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        save(GaussianMixtureEM(2), tmp_path / "model.json")


def test_what_has_no_place_in_the_file_is_refused_and_nothing_is_written(tmp_path):
    class Mine(KMeans):
        pass

    path = tmp_path / "model.json"
    with pytest.raises(ValueError, match=r"estimator must be one of .*GaussianMixtureEM, .*, got Mine"):
        save(Mine(2).fit(X), path)
    with pytest.raises(ValueError, match=r"KMeans.random_state must .*, got RandomState: set it to None or an int"):
        save(KMeans(2, random_state=np.random.RandomState(0)).fit(X), path)
    fit = KMeans(2, random_state=0).fit(X)
    fit.extra_ = np.array([1j])
    with pytest.raises(ValueError, match=r"KMeans.extra_ must be an array of dtype .*, got complex128"):
        save(fit, path)
    fit.extra_ = [len]
    with pytest.raises(ValueError, match=r"KMeans.extra_\[0\] must hold .*, got builtin_function_or_method"):
        save(fit, path)
    assert os.listdir(tmp_path) == []


def test_a_save_that_fails_leaves_the_old_file_as_it_was(file, fitted, monkeypatch):
    before = file.read_bytes()

    def broken(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        save(fitted["gaussian"], file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]
    monkeypatch.undo()
    save(fitted["gaussian"], file)
    assert isinstance(load(file), GaussianMixtureEM)


def test_every_changed_number_is_noticed(file):
    text = file.read_text()
    places = [i for i, letter in enumerate(text) if letter.isdigit()]
    for place in np.random.RandomState(0).choice(places, size=100, replace=False):
        changed = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
        try:
            if json.loads(changed) == json.loads(text):
                continue  # the last of seventeen digits, which does not always tell two floats apart
        except ValueError:
            pass
        file.write_text(changed)
        with pytest.raises(ValueError, match="path must be a file"):
            load(file)


def test_every_truncation_is_noticed(file):
    whole = file.read_bytes()
    for length in [0, 1, 20, len(whole) // 2, len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"path must be a file written by em.save; .* is not, or not whole"):
            load(file)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\xff", b"[1, 2]", b"{}", b'{"format": "other"}', b"null", b"[" * 100_000, b"x,y\n1,2\n"]
)
def test_files_of_another_kind_are_refused(content, tmp_path):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"path must be a file written by em.save.*other"):
        load(path)


def rewrite(file, change):
    """Change the document and give it a checksum that fits."""
    document = json.loads(file.read_text())
    change(document)
    document["checksum"] = _checksum(FORMAT, VERSION, document["model"])
    file.write_text(json.dumps(document))


def test_a_newer_format_is_refused_by_name(file):
    rewrite(file, lambda document: document.update(version=3))
    newer = r"format version 2, which this .*; .* is of version 3: upgrade mixture-twins"
    with pytest.raises(ValueError, match=newer):
        load(file)
    file.write_text(json.dumps({"format": FORMAT, "version": 3, "content": "elsewhere"}))
    with pytest.raises(ValueError, match=newer):
        load(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda model: model.update({"class": "Popen"}),
            "its class must be one of .*GaussianMixtureEM, .*, got 'Popen'",
        ),
        (lambda model: model["settings"].update(n_init={"Popen": {"args": "ls"}}), "a value must be one of .*'Popen'"),
        (lambda model: model["fitted"].update(predict=1), "a fitted attribute must not hide 'predict'"),
        (lambda model: model["fitted"].update(__class__="x"), "a fitted attribute must not hide '__class__'"),
        (lambda model: model["settings"].update(colour=1), "unexpected keyword argument 'colour'"),
        (lambda model: model["fitted"].clear(), "not fitted yet"),
        (lambda model: model.pop("settings"), "KeyError"),
        (lambda model: model["fitted"]["cluster_centers_"]["array"].update(shape=[7, 7]), "cannot reshape"),
        (lambda model: model["fitted"]["cluster_centers_"]["array"].update(dtype="datetime64[s]"), "an array must be"),
        (lambda model: model["fitted"].update(labels_={}), "not enough values to unpack"),
    ],
    ids=["class", "value", "method", "dunder", "setting", "unfitted", "part", "shape", "dtype", "empty"],
)
def test_only_known_classes_and_names_are_ever_built(file, change, message):
    rewrite(file, lambda document: change(document["model"]))
    with pytest.raises(ValueError, match=f"path must hold a model that can be built; .*{message}"):
        load(file)


def test_parameters_in_a_file_are_validated_like_any_others(fitted, tmp_path):
    file = tmp_path / "gaussian.json"
    save(fitted["gaussian"], file)

    def change(document):
        document["model"]["fitted"]["parameters_"]["GMMParameters"]["weights"]["array"]["values"] = [0.5, 0.6]

    rewrite(file, change)
    with pytest.raises(ValueError, match="weights must be non-negative and sum to 1"):
        load(file)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.json")
