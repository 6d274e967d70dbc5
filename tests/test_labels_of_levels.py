"""A categorical mixture takes labels of levels in any container; what is no known label is refused by name."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from em import BernoulliMixtureEM, CategoricalMixtureEM, cmm, is_anomaly, likelihood_ratio_test, select
from em.cmm.latent_classes import latent_classes
from em.families import conjugate_mixture
from em.plots import plot_anomaly_detection
from models.cmm import CMMParameters, CMMPrior, draw_parameters, simulate
from models.cmm.levels import codes_of, levels_of

THETA = draw_parameters(CMMPrior(), 2, (3, 2, 4), random_state=1)
CODES = simulate(THETA, 120, random_state=0)[0]
HOLED = np.where(np.random.RandomState(1).uniform(size=CODES.shape) < 0.1, np.nan, CODES)
WORDS = (("no", "perhaps", "yes"), ("left", "right"), ("a", "b", "c", "d"))
NAMES = ["answer", "side", "letter"]
ROWS = [
    tuple(None if np.isnan(x) else own[int(x)] for own, x in zip(WORDS, row, strict=True)) for row in HOLED.tolist()
]
FIT = {"random_state": 0, "n_init": 2, "tol": 1e-2}  # the same bits, whenever EM stops


def as_categories():
    frame = pd.DataFrame(ROWS, columns=NAMES)
    return frame.apply(lambda column: pd.Categorical(column, WORDS[NAMES.index(column.name)]))


def as_enums():
    return pl.DataFrame(ROWS, schema={n: pl.Enum(own) for n, own in zip(NAMES, WORDS, strict=True)}, orient="row")


CONTAINERS = {
    "codes": lambda: HOLED,
    "rows": lambda: ROWS,
    "array": lambda: np.array(ROWS, dtype=object),
    "pandas": lambda: pd.DataFrame(ROWS, columns=NAMES),
    "pandas categories": as_categories,
    "pandas strings": lambda: pd.DataFrame(ROWS, columns=NAMES, dtype="string"),
    "polars": lambda: pl.DataFrame(ROWS, schema=NAMES, orient="row"),
    "polars enums": as_enums,
    "pyarrow": lambda: pa.table([list(column) for column in zip(*ROWS, strict=True)], names=NAMES),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_labels_in_any_container_are_the_same_fit(name):
    expected = CategoricalMixtureEM(2, levels=(3, 2, 4), **FIT).fit(HOLED)
    data = CONTAINERS[name]()
    levels = (3, 2, 4) if name == "codes" else [sorted(own) for own in WORDS]
    for given in (levels, None):
        fit = CategoricalMixtureEM(2, levels=given, **FIT).fit(data)
        assert fit.log_likelihood_ == expected.log_likelihood_
        np.testing.assert_array_equal(fit.predict_proba(data), expected.predict_proba(HOLED))
        np.testing.assert_array_equal(fit.probs_, expected.probs_)


def test_categories_of_a_frame_are_levels_though_no_row_has_them():
    frame = as_categories()
    frame["side"] = pd.Categorical(frame["side"], ["right", "left", "straight on"])
    fit = CategoricalMixtureEM(1).fit(frame)
    assert fit.levels_[1] == ("right", "left", "straight on")
    assert fit.parameters_.by_feature[1][0, 2] == 0
    assert fit.score_samples(pd.DataFrame({"answer": [None], "side": ["straight on"], "letter": [None]}))[0] == -np.inf


def test_samples_and_imputed_cells_are_labels():
    fit = CategoricalMixtureEM(2, **FIT).fit(ROWS)
    drawn, z = fit.sample(200, random_state=0)
    assert [set(column) for column in drawn.T] == [set(own) for own in WORDS]
    assert z.shape == (200,)
    filled = fit.impute(ROWS)
    given = np.array(ROWS, dtype=object)
    seen = given != None  # noqa: E711 - elementwise
    np.testing.assert_array_equal(filled[seen], given[seen])
    best = fit.predict_proba(ROWS) @ fit.parameters_.by_feature[0]
    row = np.flatnonzero(~seen[:, 0])[0]
    assert filled[row, 0] == fit.levels_[0][best[row].argmax()]
    numbers = CategoricalMixtureEM(1).fit([[1, 4], [3, 4], [3, 9]])
    assert numbers.impute([[np.nan, 9]]).tolist() == [[3, 9]]


def test_what_takes_an_estimator_takes_labels():
    estimator = CategoricalMixtureEM(2, **FIT)
    assert select(ROWS, estimator, n_components=[1, 2]).estimator.n_components in (1, 2)
    assert likelihood_ratio_test(ROWS, CategoricalMixtureEM(n_init=1), 1, n_bootstrap=3, random_state=0).statistic > 0
    fit = estimator.fit(ROWS)
    assert is_anomaly(fit, ROWS, quantile=0.1).sum() <= 12
    for kind in ("bootstrap", "parametric bootstrap"):
        table = fit.uncertainty(ROWS, kind=kind, n_bootstrap=4, random_state=0)
        assert np.isfinite(table.standard_errors).any()
    mixture = conjugate_mixture(ROWS, CMMPrior())
    np.testing.assert_allclose(
        mixture.log_joint(fit.parameters_.arrays()), cmm.log_joint(HOLED_SORTED, fit.parameters_)
    )


HOLED_SORTED = codes_of(ROWS, levels_of(ROWS))


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (
            [["a", 1], ["b", 1.5]],
            {},
            r"X must hold labels of levels, strings or whole numbers, got 1.5 in column 1",
        ),
        ([["a"], [1], ["b"]], {}, r"strings or whole numbers in each column, and not both, got 1 of type int"),
        (pd.DataFrame({"height": [1.5, 1.8]}), {}, r"whole numbers, got 1.5 in column 'height'"),
        (["a", "b"], {}, "X must be two-dimensional"),
        ([["a"], ["b"]], {"levels": [["a", "c"]]}, r"got 'b' in column 0, whose levels are \['a', 'c'\]"),
        ([[0], [1]], {"levels": [2, 2]}, "levels must have one entry for each of 1 columns, got 2"),
        ([[0], [1]], {"levels": [["a", "a"]]}, "levels must hold a number, or different labels"),
        ([[0], [1]], {"prior": CMMPrior(2, [2.0, 2.0, 2.0])}, r"prior.pseudo_counts must .* \(2,\), got \(3,\)"),
        ([[0], [1]], {"init": CMMParameters([1.0], [[1.0, 0, 0]], (3,)), "levels": 2}, r"init must have levels \(2,\)"),
        ([[0], [1]], {"frozen": {"probs": [[0.4, 0.5]]}}, "frozen probs must be non-negative and sum to 1"),
    ],
)
def test_what_is_no_label_is_refused(data, settings, message):
    with pytest.raises(ValueError, match=message):
        CategoricalMixtureEM(1, **settings).fit(data)


def test_labels_have_no_density_to_draw_and_no_other_mixture_has_latent_classes():
    X = pd.DataFrame(ROWS, columns=NAMES)
    with pytest.raises(ValueError, match=r"two continuous features, .* whose cells are labels: em\.plots\.plot"):
        plot_anomaly_detection(CategoricalMixtureEM(1).fit(X), X)
    with pytest.raises(TypeError, match="fit must be a CategoricalMixtureEM, got BernoulliMixtureEM"):
        latent_classes(BernoulliMixtureEM(1).fit([[0], [1]]), [[0], [1]])


def test_new_rows_are_held_to_the_levels_of_the_fit():
    fit = CategoricalMixtureEM(1).fit(pd.DataFrame(ROWS, columns=NAMES))
    with pytest.raises(ValueError, match=r"got 'up' in column 'side'.*name all levels in `levels`"):
        fit.predict(pd.DataFrame([["no", "up", "a"]], columns=NAMES))
    with pytest.raises(ValueError, match="X has 2 features"):
        fit.predict([["no", "left"]])
    with pytest.raises(ValueError, match=r"X must hold codes, .* L = \[3.*; the first misfit is X\[0, 0\] = 3"):
        cmm.e_step([[3, 0, 0]], THETA)
    with pytest.raises(ValueError, match=r"probs must have a column for each of the sum\(levels\) = 9 levels"):
        CMMParameters(THETA.weights, THETA.probs[:, :5], THETA.levels)
