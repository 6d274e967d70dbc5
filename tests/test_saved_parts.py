"""A file whose parts do not fit each other is refused, by name, whoever wrote its checksum; so is such an estimator."""

import copy
import json
import os

import numpy as np
import pandas as pd
import pytest
import reference_data
from mutated_files import mutate

from em import (
    BernoulliMixtureEM,
    BinomialMixtureEM,
    GaussianMixtureEM,
    KMeans,
    NoMaximumWarning,
    NotConvergedWarning,
    VariationalMixture,
    load,
    save,
)
from em.identifiability import Identifiability
from em.saving import FORMAT, VERSION, _checksum, _encode_all
from em.saving.parts import check_parts
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior

X = reference_data.faithful()
FRAME = pd.DataFrame(X, columns=["eruption", "waiting"])
RNG = np.random.RandomState(0)
COUNTS = RNG.binomial(4, np.repeat([[0.2, 0.3, 0.6], [0.9, 0.7, 0.1]], 30, axis=0))
BITS = (COUNTS > 1).astype(int)
CENTERS = [[2.0, 55.0], [4.5, 80.0]]
WEIGHTS = {"weights": [0.4, 0.6]}
FITS = {
    "gaussian": GaussianMixtureEM(2, n_init=2, random_state=0).fit(FRAME),
    "diag": GaussianMixtureEM(2, covariance_type="diag", n_init=1, random_state=0).fit(X),
    "frozen": GaussianMixtureEM(2, n_init=1, random_state=0, frozen=WEIGHTS).fit(X),
    "map": GaussianMixtureEM(2, prior=GMMPrior.weakly_informative(X, 2), n_init=1, random_state=0).fit(X),
    "spherical map": GaussianMixtureEM(
        2,
        covariance_type="spherical",
        prior=GMMIndependentPrior.weakly_informative(X, 2, "spherical"),
        n_init=1,
        random_state=0,
    ).fit(X),
    "labels": GaussianMixtureEM(2, init=(X[:, 0] > 3).astype(int)).fit(X),
    "bernoulli": BernoulliMixtureEM(2, n_init=2, random_state=0).fit(BITS),
    "binomial": BinomialMixtureEM(2, n_trials=[4, 4, 4], n_init=1, random_state=0).fit(COUNTS),
    "binomial map": BinomialMixtureEM(
        2, n_trials=np.full(COUNTS.shape, 4), prior=BMMPrior([2, 3]), n_init=1, random_state=0
    ).fit(COUNTS),
    "mean field": VariationalMixture(2, prior=GMMPrior.weakly_informative(X, 2), n_init=1, tol=0.1, random_state=0).fit(
        X
    ),
    "k-means": KMeans(2, n_init=2, random_state=0).fit(X),
    "k-means, given centres": KMeans(2, init=CENTERS).fit(X).set_output(transform="pandas"),
}
DATA = {"gaussian": FRAME, "bernoulli": BITS, "binomial": COUNTS, "binomial map": COUNTS}
ONE = GMMParameters([1.0], FITS["gaussian"].means_[:1], FITS["gaussian"].covariances_[:1])
DIAG = GMMParameters([0.4, 0.6], CENTERS, np.ones((2, 2)), "diag")
THREE_COLUMNS = GMMParameters([0.5, 0.5], np.zeros((2, 3)), np.stack([np.eye(3)] * 2))
OTHER_PROBS = BMMParameters([0.5, 0.5], np.full((2, 3), 0.5))
NOWHERE = object()  # of an attribute that is taken away


def document(fit, class_name=None, **changes):
    """Return what a file of this fit holds after some changes, with a checksum that fits."""
    settings = fit.get_params(deep=False)
    packed = fit._packed() if hasattr(fit, "_packed") else {}
    everything = {**vars(fit), **packed, **changes}
    parts = {"settings": {}, "fitted": {}}
    for name, value in everything.items():
        if value is not NOWHERE:
            parts["settings" if name in settings else "fitted"][name] = value
    model = {"class": class_name or type(fit).__name__}
    model |= {part: _encode_all("part", values) for part, values in parts.items()}
    return {"format": FORMAT, "version": VERSION, "checksum": _checksum(model), "model": model}


def written(path, content):
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("name", FITS)
def test_the_parts_of_every_fit_fit_each_other(name, tmp_path):
    check_parts(FITS[name])
    assert type(load(written(tmp_path / "fit.json", document(FITS[name])))) is type(FITS[name])


@pytest.mark.parametrize("name", ["diag", "bernoulli"])
def test_fits_that_collapsed_or_did_not_converge_can_be_saved(name, tmp_path):
    one_point = np.repeat([[0.0, 0.0], [1.0, 1.0]], 20, axis=0)
    with pytest.warns(NoMaximumWarning):
        collapsed = GaussianMixtureEM(2, random_state=0).fit(one_point)
    assert collapsed.collapsed_
    with pytest.warns(NotConvergedWarning):
        stopped = type(FITS[name])(2, max_iter=1, n_init=1, random_state=0).fit(DATA.get(name, X))
    assert not stopped.converged_
    for fit in (collapsed, stopped):
        save(fit, tmp_path / "fit.json")
        assert load(tmp_path / "fit.json").status_ == fit.status_


FAULTS = [
    # components
    ("gaussian", {"parameters_": ONE}, "n_components must be 1 as the parameters say, got 2"),
    ("gaussian", {"n_components": 3}, "n_components must be 2 as the parameters say, got 3"),
    ("gaussian", {"n_components": True}, "n_components must be 2 as the parameters say, got True"),
    ("gaussian", {"n_components": "2"}, "n_components must be 2 as the parameters say, got 2"),
    ("bernoulli", {"n_components": 1}, "n_components must be 2 as the parameters say, got 1"),
    ("k-means", {"n_clusters": 3}, "cluster_centers_ must have n_clusters = 3 rows, got 2"),
    # arrays beside the parameters
    ("gaussian", {"weights_": np.array([0.5, 0.5])}, "weights_ must equal parameters_.weights"),
    ("gaussian", {"weights_": np.array([1.0])}, "weights_ must equal parameters_.weights"),
    ("gaussian", {"means_": np.zeros((2, 3))}, "means_ must equal parameters_.means"),
    ("gaussian", {"means_": FITS["gaussian"].means_.astype("float32")}, "means_ must equal parameters_.means"),
    ("gaussian", {"means_": FITS["gaussian"].means_.tolist()}, "means_ must be of type ndarray, got list"),
    ("gaussian", {"covariances_": np.full((2, 2, 2), np.nan)}, "covariances_ must equal parameters_.covariances"),
    ("bernoulli", {"probs_": FITS["bernoulli"].probs_[::-1]}, "probs_ must equal parameters_.probs"),
    ("bernoulli", {"parameters_": OTHER_PROBS}, "weights_ must equal|probs_ must equal"),
    ("bernoulli", {"parameters_": ONE}, "parameters_ must be of type BMMParameters, got GMMParameters"),
    ("gaussian", {"parameters_": None}, "parameters_ must be of type GMMParameters, got NoneType"),
    # structure
    ("gaussian", {"covariance_type": "tied"}, "covariance_type must be 'full' as the parameters say, got 'tied'"),
    ("gaussian", {"parameters_": DIAG}, "covariance_type must be 'diag' as the parameters say, got 'full'"),
    ("gaussian", {"init": DIAG}, "init must have covariance_type 'full'"),
    ("diag", {"covariance_type": ["diag"]}, "covariance_type must be one of"),
    # prior
    ("map", {"prior": GMMPrior.weakly_informative(X, 2, "tied")}, "prior.covariance_type must be 'full'"),
    ("map", {"prior": GMMPrior.weakly_informative(X[:, :1], 2)}, r"prior.mean must have shape \(2,\)"),
    ("map", {"prior": GMMPrior([2, 2, 2], X[0], 1, 4, np.eye(2))}, "prior.concentration must be a number or have"),
    (
        "map",
        {"prior": GMMPrior([2, 3], X[0], 1, 4, np.eye(2))},
        "objective_ must be log_likelihood_ plus the log prior",
    ),
    ("map", {"prior": None}, "objective_ must be log_likelihood_ plus the log prior"),
    ("map", {"prior": BMMPrior()}, "prior must be None, a GMMPrior or a GMMIndependentPrior"),
    ("map", {"prior": "flat"}, "prior must be None, a GMMPrior or a GMMIndependentPrior"),
    ("binomial map", {"prior": BMMPrior([2, 3, 4])}, "prior.concentration must be a number or have shape"),
    ("binomial map", {"prior": BMMPrior(2, [1, 2])}, "prior.successes must be a number or have shape"),
    ("binomial map", {"prior": BMMPrior(0.5)}, "prior.concentration must be at least 1 for MAP"),
    ("binomial map", {"prior": FITS["map"].prior}, "prior must be None or a BMMPrior"),
    # frozen values
    ("frozen", {"frozen": {"weights": [0.5, 0.5]}}, "parameters_.weights must be what frozen says"),
    ("frozen", {"frozen": {"weights": [1.0]}}, "frozen weights must have shape"),
    ("frozen", {"frozen": {"probs": [0.5, 0.5]}}, "frozen must map some of"),
    ("frozen", {"frozen": None}, "n_free_parameters_ must be 11 as the parameters say, got 10"),
    # starts and settings
    ("gaussian", {"init": ONE}, r"init must have \(components, features\) = \(2, 2\)"),
    ("gaussian", {"init": THREE_COLUMNS}, r"init must have \(components, features\) = \(2, 2\)"),
    ("gaussian", {"init": OTHER_PROBS}, "init must be one of .* 2 integer labels"),
    ("gaussian", {"init": "best"}, "init must be one of"),
    ("labels", {"init": np.full(len(X), 2)}, "init must be one of .* integer labels from 0 to 1"),
    ("labels", {"init": np.zeros(len(X))}, "init must be one of .* integer labels from 0 to 1"),
    ("gaussian", {"n_init": 0}, "n_init must be a whole number of at least 1"),
    ("gaussian", {"n_starts": 1}, "n_starts must be None or at least n_init=2"),
    ("gaussian", {"max_iter": 2.5}, "max_iter must be a whole number"),
    ("gaussian", {"tol": -1.0}, "tol must be finite and at least 0"),
    ("gaussian", {"tol": float("nan")}, "tol must be finite"),
    ("gaussian", {"acceleration": "warp"}, "acceleration must be one of"),
    ("gaussian", {"random_state": -1}, "random_state must be None, .* or a whole number"),
    ("gaussian", {"random_state": 2**40}, "random_state must be None, .* or a whole number"),
    ("k-means", {"n_init": "auto"}, "n_init must be a whole number"),
    ("k-means", {"init": [[1.0, 2.0]]}, r"init must have shape \(2, 2\)"),
    # trials
    ("binomial", {"n_trials": [4, 4]}, "n_trials must be a number or have shape"),
    ("binomial", {"n_trials": [4, 4, 0]}, "n_trials must be whole numbers of at least 1"),
    ("binomial", {"n_trials": 2.5}, "n_trials must be whole numbers of at least 1"),
    ("binomial", {"n_trials": "4"}, "n_trials must hold numbers"),
    ("binomial map", {"n_trials": np.full((60, 2), 4)}, "n_trials must be a number or have shape"),
    # features
    ("gaussian", {"n_features_in_": 3}, "n_features_in_ must be 2 as the parameters say, got 3"),
    ("gaussian", {"n_features_in_": 2.0}, "n_features_in_ must be a whole number"),
    ("gaussian", {"feature_names_in_": np.array(["one"], dtype=object)}, "feature_names_in_ must be 2 strings"),
    ("gaussian", {"feature_names_in_": np.array([1, 2])}, "feature_names_in_ must be 2 strings"),
    ("gaussian", {"feature_names_in_": ["eruption", "waiting"]}, "feature_names_in_ must be of type ndarray"),
    ("k-means", {"n_features_in_": 1}, "n_features_in_ must be 2"),
    # sums
    ("gaussian", {"log_likelihood_": float("nan")}, "log_likelihood_ must be a finite number"),
    ("gaussian", {"log_likelihood_": "high"}, "log_likelihood_ must be a finite number"),
    ("gaussian", {"objective_": float("inf")}, "objective_ must be a finite number"),
    ("gaussian", {"log_likelihood_": FITS["gaussian"].log_likelihood_ + 1}, "objective_ must be log_likelihood_ plus"),
    ("map", {"log_likelihood_": FITS["map"].objective_}, "objective_ must be log_likelihood_ plus the log prior"),
    ("spherical map", {"log_likelihood_": FITS["spherical map"].objective_}, "objective_ must be log_likelihood_ plus"),
    ("gaussian", {"history_": FITS["gaussian"].history_ - 1}, "history_ must be numbers that end at objective_"),
    ("gaussian", {"history_": FITS["gaussian"].history_[1:]}, r"history_ must be float64 of shape \(n_iter_ \+ 1,\)"),
    ("gaussian", {"history_": FITS["gaussian"].history_.tolist()}, "history_ must be of type ndarray"),
    ("gaussian", {"history_": FITS["gaussian"].history_ * np.nan}, "history_ must be numbers"),
    ("gaussian", {"n_iter_": 1}, "history_ must be float64 of shape"),
    ("k-means", {"objective_": 1.0}, "history_ must be numbers that end at objective_"),
    ("k-means", {"inertia_": 0.0}, "inertia_ must be minus objective_"),
    ("k-means", {"inertia_": FITS["k-means"].objective_}, "inertia_ must be minus objective_"),
    # flags and numbers
    ("gaussian", {"converged_": 1}, "converged_ must be of type bool, got int"),
    ("gaussian", {"collapsed_": "no"}, "collapsed_ must be of type bool, got str"),
    ("gaussian", {"collapsed_": True}, "converged_ must be False where collapsed_ is True"),
    ("gaussian", {"collapsed_": True, "converged_": False}, "n_collapsed_ must be positive where collapsed_ is True"),
    ("gaussian", {"n_collapsed_": -1}, "n_collapsed_ must be a whole number of at least 0"),
    ("gaussian", {"n_e_steps_": 1}, "n_e_steps_ must be a whole number of at least"),
    ("gaussian", {"n_free_parameters_": 12}, "n_free_parameters_ must be 11 as the parameters say, got 12"),
    ("gaussian", {"status_": None}, "status_ must be of type str"),
    # clusters
    ("k-means", {"cluster_centers_": np.full((2, 2), np.nan)}, "cluster_centers_ must be finite float64"),
    ("k-means", {"cluster_centers_": np.zeros(2)}, "cluster_centers_ must be finite float64"),
    ("k-means", {"cluster_centers_": np.zeros((2, 2), dtype=int)}, "cluster_centers_ must be finite float64"),
    ("k-means", {"cluster_centers_": np.zeros((2, 0))}, "cluster_centers_ must be finite float64"),
    ("k-means", {"labels_": np.full(len(X), 2)}, "labels_ must be whole numbers from 0 to 1"),
    ("k-means", {"labels_": np.full(len(X), -1)}, "labels_ must be whole numbers from 0 to 1"),
    ("k-means", {"labels_": np.zeros(len(X))}, "labels_ must be whole numbers from 0 to 1"),
    ("k-means", {"labels_": np.zeros((len(X), 1), dtype=int)}, "labels_ must be whole numbers from 0 to 1"),
    ("k-means", {"labels_": np.zeros(1, dtype=int)}, "n_clusters must be at most the number of samples 1"),
    ("k-means", {"_sklearn_output_config": {"transform": "stone"}}, "_sklearn_output_config must name an output"),
    # identifiability
    ("bernoulli", {"identifiability_": None}, "identifiability_ must be of type Identifiability"),
    ("bernoulli", {"identifiability_": Identifiability(1, 7, 7, "")}, "identified must be of type bool"),
    ("bernoulli", {"identifiability_": Identifiability(True, 6, 7, "")}, "identifiability_.rank must be 7 where all"),
    ("bernoulli", {"identifiability_": Identifiability(False, 7, 7, "")}, "identifiability_.rank must be 7 where all"),
    ("bernoulli", {"identifiability_": Identifiability(True, 7, 7, 1)}, "sentence must be of type str"),
    (
        "bernoulli",
        {"identifiability_": Identifiability(False, 6, 7, "", {"weights[0]": float("nan")})},
        "free_direction must hold finite numbers",
    ),
    # what no fit has
    ("gaussian", {"_log_prior_": 1}, "_log_prior_ must be no attribute of an estimator"),
]


@pytest.mark.parametrize(("name", "changes", "message"), FAULTS, ids=[f"{n}, {next(iter(c))}" for n, c, _ in FAULTS])
def test_parts_that_do_not_fit_are_refused_by_name_when_read_and_when_written(name, changes, message, tmp_path):
    path = written(tmp_path / "fit.json", document(FITS[name], **changes))
    with pytest.raises(ValueError, match=f"path must hold a model that can be built; .*(?:{message})"):
        load(path)
    tampered = copy.copy(FITS[name])
    vars(tampered).update(changes)
    with pytest.raises(ValueError, match=f"estimator must be as its fit left it, or fitted again: .*(?:{message})"):
        save(tampered, tmp_path / "tampered.json")
    assert os.listdir(tmp_path) == ["fit.json"]


OPTIONAL = ("feature_names_in_", "_sklearn_output_config")


@pytest.mark.parametrize("name", FITS)
def test_no_part_may_be_missing(name, tmp_path):
    for part in vars(FITS[name]).keys() - set(OPTIONAL):
        path = written(tmp_path / "fit.json", document(FITS[name], **{part: NOWHERE}))
        with pytest.raises(ValueError, match=f"path must hold a model .*{part}"):
            load(path)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("gaussian", "BernoulliMixtureEM"),
        ("gaussian", "KMeans"),
        ("bernoulli", "GaussianMixtureEM"),
        ("bernoulli", "BinomialMixtureEM"),
        ("binomial", "BernoulliMixtureEM"),
        ("k-means", "GaussianMixtureEM"),
    ],
)
def test_parts_under_the_name_of_another_class_are_refused(name, other, tmp_path):
    path = written(tmp_path / "fit.json", document(FITS[name], class_name=other))
    with pytest.raises(ValueError, match="path must hold a model that can be built"):
        load(path)


ARRAYS = [
    ({"dtype": "int64", "shape": [2], "values": [0.5, 1]}, "an array must be written as em.save writes it"),
    ({"dtype": "float32", "shape": [1], "values": [0.1]}, "an array must be written as em.save writes it"),
    ({"dtype": "float32", "shape": [1], "values": [1e300]}, "an array must be written as em.save writes it"),
    ({"dtype": "float64", "shape": [-1], "values": [0.5]}, "an array must be written as em.save writes it"),
    ({"dtype": "float64", "shape": [1], "values": ["0.5"]}, "an array must be written as em.save writes it"),
    ({"dtype": "bool", "shape": [1], "values": ["yes"]}, "an array must be written as em.save writes it"),
    ({"dtype": "uint8", "shape": [1], "values": [-1]}, "out of bounds"),
    ({"dtype": "object", "shape": [1], "values": [1]}, "an array must be an array of dtype"),
    ({"dtype": "object", "shape": [1], "values": [["a"]]}, "cannot reshape|must be"),
    ({"dtype": "complex128", "shape": [1], "values": [1]}, "an array must be of dtype"),
    ({"dtype": "float64", "shape": [1], "values": [1], "more": 1}, "an array must be written as em.save writes it"),
    ({"dtype": "float64", "shape": [10**12], "values": [1]}, "cannot reshape"),
]


@pytest.mark.parametrize(("array", "message"), ARRAYS)
def test_numbers_that_would_change_when_read_are_refused(array, message, tmp_path):
    content = document(FITS["gaussian"])
    content["model"]["fitted"]["extra_"] = {"array": array}
    content["checksum"] = _checksum(content["model"])
    with pytest.raises(ValueError, match=f"extra_: .*(?:{message})"):
        load(written(tmp_path / "fit.json", content))


@pytest.mark.parametrize("token", ["NaN", "Infinity", "1e999", '{"float": "0.5"}', '{"list": "ab"}', "[1]"])
def test_what_save_never_writes_for_a_value_is_refused(token, tmp_path):
    text = json.dumps(document(FITS["gaussian"], extra_="here"))
    content = json.loads(text.replace('"here"', token))
    content["checksum"] = _checksum(content["model"])
    with pytest.raises(ValueError, match="path must"):
        load(written(tmp_path / "fit.json", content))


def test_what_is_no_regular_file_is_an_error_of_its_kind(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.json"):
        load(tmp_path / "nothing.json")
    (tmp_path / "broken").symlink_to("nothing.json")
    with pytest.raises(FileNotFoundError, match="broken"):
        load(tmp_path / "broken")
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"path must be a regular file .*pipe', which is a pipe"):
        load(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"path must be a regular file .*which is a device"):
        load("/dev/zero")


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "fit.json"
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR.")
    with pytest.raises(ValueError, match=r"path must be a file written by em\.save"):
        load(path)
    assert os.listdir(tmp_path) == ["fit.json"]


@pytest.mark.parametrize("name", FITS)
def test_a_file_changed_at_random_is_refused_or_gives_responsibilities_that_sum_to_one(name, tmp_path):
    rng, original, data = np.random.RandomState(1), document(FITS[name]), DATA.get(name, X)
    data = np.zeros_like(data) if name.startswith("bi") else data  # which any number of trials allows
    refused = 0
    for _ in range(60):
        path = written(tmp_path / "fit.json", mutate(original, rng))
        try:
            fit = load(path)
        except ValueError as error:
            assert str(error).startswith("path must")  # noqa: PT017 - other errors and warnings fail the test
            refused += 1
            continue
        if isinstance(fit, KMeans):
            assert set(np.unique(fit.predict(data))) <= set(range(fit.n_clusters))
            continue
        responsibilities = fit.predict_proba(data)
        assert responsibilities.shape == (len(data), fit.n_components)
        np.testing.assert_allclose(responsibilities.sum(axis=1), 1)
    assert refused > 40
