"""Published Poisson and latent class mixtures: the log-likelihoods and statistics that others print."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from em import BernoulliMixtureEM, CategoricalMixtureEM, PoissonMixtureEM, bmm, cmm
from em.cmm.latent_classes import latent_classes
from models.bmm import BMMParameters, BMMPrior
from models.cmm import CMMParameters, CMMPrior

ROOM = Path(__file__).parents[1] / "comparisons"
QUAKES = pd.read_csv(ROOM / "pmm" / "earthquakes.csv")["count"].to_numpy()[:, None]
STUDENTS = pd.read_csv(ROOM / "cmm" / "hair_eye_color.csv")
# Seven pathologists on 118 slides (Agresti 2002, Categorical Data Analysis, Table 13.1; `carcinoma` of R's poLCA)
SLIDES = {
    "0000000": 34, "0000100": 2, "0100000": 6, "0100001": 1, "0100100": 4, "0100101": 5, "1000000": 2,
    "1010101": 1, "1100000": 2, "1100001": 1, "1100100": 2, "1100101": 7, "1100111": 1, "1101001": 1,
    "1101101": 2, "1101111": 3, "1110101": 13, "1110111": 5, "1111101": 10, "1111111": 16,
}  # fmt: skip
RATINGS, SEEN = np.array([list(map(int, pattern)) for pattern in SLIDES]), np.array(list(SLIDES.values()))


@pytest.mark.parametrize(("K", "published"), [(1, -391.918928165), (2, -360.369043611), (3, -356.848939071)])
def test_earthquakes_are_those_of_zucchini_and_macdonald(K, published):
    fit = PoissonMixtureEM(K, random_state=0, tol=1e-11).fit(QUAKES)
    assert fit.log_likelihood_ == pytest.approx(published, abs=1e-8)
    if K == 2:
        order = np.argsort(fit.rates_[:, 0])
        # printed where EM had 1e-12 nats to gain; 5,000 plain steps more end at 0.67572566 and 15.77710808, 26.83989480
        np.testing.assert_allclose(fit.weights_[order], [0.67572541, 0.32427459], atol=1e-6)
        np.testing.assert_allclose(fit.rates_[order, 0], [15.77710612, 26.83989064], atol=1e-5)


@pytest.mark.parametrize(("K", "p", "published"), [(1, 7, -1897.306729669), (2, 15, -1830.081125454)])
def test_hair_and_eyes_of_students(K, p, published):
    X, count = STUDENTS[["hair", "eye", "sex"]], STUDENTS["count"]
    fit = CategoricalMixtureEM(K, random_state=0).fit(X, sample_weight=count)
    assert (fit.log_likelihood_, fit.n_free_parameters_) == (pytest.approx(published, abs=1e-7), p)


# poLCA's reference manual and Linzer & Lewis (2011), section 4.1
@pytest.mark.parametrize(
    ("K", "published", "g_squared", "x_squared", "df"),
    [
        (2, -317.2568, 62.36543, 92.64814, 112),
        (3, -293.7050, 15.26171, 20.50336, 104),
        (4, -289.2858, 6.42345, 10.0841, 96),
    ],
)
def test_carcinoma_is_that_of_polca(K, published, g_squared, x_squared, df):
    fit = CategoricalMixtureEM(K, n_init=20, random_state=0).fit(RATINGS, sample_weight=SEEN)
    report = latent_classes(fit, RATINGS, sample_weight=SEEN)
    assert fit.log_likelihood_ == pytest.approx(published, abs=1e-4)
    assert report.g_squared == pytest.approx(g_squared, abs=1e-4)
    assert report.x_squared == pytest.approx(x_squared, abs=1e-3)
    assert report.degrees_of_freedom == df
    if K == 3:  # sizes and modal sizes as poLCA prints them
        np.testing.assert_allclose(np.sort(report.sizes), [0.1817, 0.3736, 0.4447], atol=5e-5)
        np.testing.assert_allclose(np.sort(report.modal_sizes), [0.1949, 0.3729, 0.4322], atol=5e-5)


@pytest.mark.parametrize("prior", ["ML", "MAP"])
def test_two_levels_everywhere_are_the_bernoulli_mixture(prior):
    rng, D = np.random.RandomState(0), RATINGS.shape[1]
    of_bits, of_levels = (BMMPrior(1.5, 2, 3), CMMPrior(1.5, [3, 2] * D)) if prior == "MAP" else (None, None)
    theta = BMMParameters([0.3, 0.7], rng.uniform(0.1, 0.9, size=(2, D)))
    both = np.stack([1 - theta.probs, theta.probs], axis=2).reshape(2, 2 * D)
    same = CMMParameters(theta.weights, both, (2,) * D)
    X = np.where(rng.uniform(size=RATINGS.shape) < 0.1, np.nan, RATINGS)
    (r, log_likelihood), (r_of_levels, of_levels_too) = bmm.e_step(X, theta), cmm.e_step(X, same)
    np.testing.assert_allclose(r_of_levels, r, rtol=1e-13)
    assert of_levels_too == pytest.approx(log_likelihood, rel=1e-14)
    np.testing.assert_allclose(
        cmm.m_step(X, r, of_levels, (2,) * D).probs[:, 1::2], bmm.m_step(X, r, of_bits).probs, rtol=1e-14
    )
    settings = {"random_state": 0, "tol": 1e-12}
    bits = BernoulliMixtureEM(2, prior=of_bits, **settings).fit(X, sample_weight=SEEN)
    levels = CategoricalMixtureEM(2, prior=of_levels, **settings).fit(X, sample_weight=SEEN)
    assert levels.objective_ == pytest.approx(bits.objective_, abs=1e-10)
    np.testing.assert_allclose(levels.probs_[:, 1::2], bits.probs_, atol=1e-6)
    assert levels.n_free_parameters_ == bits.n_free_parameters_
    errors = [fit.uncertainty(X, sample_weight=SEEN)["weights[0]"]["standard_error"] for fit in (bits, levels)]
    assert errors[1] == pytest.approx(errors[0], rel=1e-5)


def test_statistics_of_latent_classes_are_their_definitions():
    X, count = STUDENTS[["hair", "eye", "sex"]], STUDENTS["count"].to_numpy()
    fit = CategoricalMixtureEM(2, random_state=0).fit(X, sample_weight=count)
    report = latent_classes(fit, X, sample_weight=count)
    expected = 592 * np.exp(fit.score_samples(X))  # all 32 patterns are in the data
    assert expected.sum() == pytest.approx(592)
    assert report.x_squared == pytest.approx(((count - expected) ** 2 / expected).sum())
    assert report.g_squared == pytest.approx(2 * (count * np.log(count / expected)).sum())
    assert report.degrees_of_freedom == 31 - 15
    r, weights = fit.predict_proba(X), fit.weights_
    conditional = -(count @ (r * np.log(np.maximum(r, 1e-300))).sum(axis=1)) / 592
    assert report.entropy_r_squared == pytest.approx(1 + conditional / (weights @ np.log(weights)))
    assert report.relative_entropy == pytest.approx(1 - conditional / np.log(2))
    by_level = {(row["item"], row["level"], row["class"]): row for row in report.table}
    assert len(by_level) == len(report.table) == 2 * 10
    error = fit.uncertainty(X, sample_weight=count)["probs[1, eye Blue]"]["standard_error"]
    assert by_level["eye", "Blue", 1]["standard_error"] == error
    assert "G² 31.8489 (p = 0.0105), X² 31.5982 (p = 0.0113), 16 df" in repr(report)
    holed = X.astype(object).mask(np.eye(32, 3, dtype=bool))
    assert np.isnan(latent_classes(fit, holed, sample_weight=count).g_squared)
