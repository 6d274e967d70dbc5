"""EM's path is kept on request, from the start of the best restart, and shown as a page or a GIF."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import reference_data
from families import each_family_once
from PIL import Image

import em
from em import BinomialMixtureEM, GaussianMixtureEM
from em.plots import animate
from em.plots.animation import _chosen
from em.status import left_to_the_status
from models.gmm import GMMParameters

CORNERS = GMMParameters([0.5, 0.5], [[2.0, 90.0], [5.0, 48.0]], [[[0.3, 0.0], [0.0, 30.0]]] * 2)


@pytest.fixture(scope="module")
def faithful():
    X = reference_data.faithful()
    return X, GaussianMixtureEM(2, init=CORNERS).fit(X, keep_path=True)


def objectives(path, X):
    states = [path.at(i) for i in range(len(path))]
    return np.array([s._sums(X, None)[0] + s._log_prior(s.parameters_) for s in states])


@each_family_once
def test_the_path_leads_uphill_from_the_start_to_the_fit(family):
    X, start, _ = family.problem(0, 2, 2, 80)
    prior = family.prior(2, 2)
    estimator = family.estimator(2, prior=prior, init=start, **family.options, **family.structure)
    with left_to_the_status():
        path = estimator.fit(X, keep_path=True).path_
    assert all(np.allclose(path[0].arrays()[name], array) for name, array in start.arrays().items())
    values = objectives(path, X)
    assert (np.diff(values) >= -1e-9).all()
    assert values[-1] == pytest.approx(estimator.objective_, abs=0.1)
    one = family.m_step(X, estimator.__class__.predict_proba(path.at(0), X), prior)
    for name, array in one.arrays().items():
        np.testing.assert_allclose(path[1].arrays()[name], array, rtol=1e-6, atol=1e-9)


def test_of_many_restarts_the_path_is_that_of_the_best():
    X = reference_data.iris()
    for seed in range(3):
        fit = GaussianMixtureEM(3, n_init=5, random_state=seed).fit(X, keep_path=True)
        assert objectives(fit.path_, X)[-1] == pytest.approx(fit.objective_, abs=0.05)


def test_the_fit_is_the_same_and_keeps_no_path_unasked(faithful, tmp_path):
    X, fit = faithful
    plain = GaussianMixtureEM(2, init=CORNERS).fit(X)
    assert not hasattr(plain, "path_")
    np.testing.assert_array_equal(plain.history_, fit.history_)
    again = GaussianMixtureEM(2, init=CORNERS).fit(X, keep_path=True)
    em.save(again, tmp_path / "fit.json")
    assert not hasattr(em.load(tmp_path / "fit.json"), "path_")
    assert not hasattr(again.fit(X), "path_")


def test_frozen_parameters_stay_along_the_path():
    X = reference_data.faithful()
    fit = GaussianMixtureEM(2, frozen={"weights": [0.3, 0.7]}, n_init=1, random_state=0).fit(X, keep_path=True)
    assert {tuple(parameters.weights) for parameters in fit.path_} == {(0.3, 0.7)}


def test_a_path_with_sizes_of_cells_is_drawn(tmp_path):
    trials = np.random.RandomState(0).randint(5, 20, size=(40, 1))
    X = np.random.RandomState(1).binomial(trials, np.repeat([[0.2], [0.7]], 20, axis=0)).astype(float)
    fit = BinomialMixtureEM(2, n_init=1, random_state=0).fit(X, n_trials=trials, keep_path=True)
    animate(fit.path_, X, tmp_path / "em.html", most_frames=2)
    assert (tmp_path / "em.html").read_text().count("<img") == 2


def test_the_page_has_every_frame_inside_and_nothing_from_elsewhere(faithful, tmp_path):
    X, fit = faithful
    before = plt.get_fignums()
    animate(fit.path_, X, tmp_path / "em.html", seconds=0.25, most_frames=4)
    assert plt.get_fignums() == before
    text = (tmp_path / "em.html").read_text()
    assert text.count('src="data:image/webp;base64,') == text.count("src=") == 4
    assert not re.search(r"https?:|url\(|@import|<link|<iframe", text)
    last = len(fit.path_) - 1
    for i in (0, last):
        value = objectives(fit.path_, X)[i]
        assert f'alt="iteration {i} of {last}: log-likelihood {value:.3f}"' in text
    assert 'max="3"' in text
    assert "}, 250);" in text
    assert all(f'id="{control}"' in text for control in ("play", "step", "back", "slider"))


def test_a_gif_has_the_frames_and_rests_at_the_last(faithful, tmp_path):
    X, fit = faithful
    animate(fit.path_, X[:, :], tmp_path / "em.gif", seconds=0.5, most_frames=3)
    with Image.open(tmp_path / "em.gif") as gif:
        assert gif.n_frames >= 3
        durations = []
        for i in range(gif.n_frames):
            gif.seek(i)
            durations.append(gif.info["duration"])
    assert (durations[0], sum(durations)) == (500, 3500)


def test_of_a_long_path_the_first_iterations_are_all_shown_and_the_last():
    for length, most in [(1, 60), (60, 60), (61, 60), (168, 60), (1001, 60), (1001, 2)]:
        chosen = _chosen(length, most)
        assert len(chosen) <= most
        assert (chosen[0], chosen[-1]) == (0, length - 1)
        assert (np.diff(np.diff(chosen)) >= -1).all()
    assert _chosen(168, 60)[:10] == list(range(10))


def test_bad_input_is_refused_before_anything_is_drawn(faithful, tmp_path):
    X, fit = faithful
    with pytest.raises(ValueError, match=r"path must be the path_ of fit\(X, keep_path=True\), got"):
        animate(fit, X, tmp_path / "em.html")
    with pytest.raises(ValueError, match=r"file must end in \.html or \.gif, got 'em\.mp4'"):
        animate(fit.path_, X, "em.mp4")
    with pytest.raises(ValueError, match="most_frames"):
        animate(fit.path_, X, tmp_path / "em.html", most_frames=1)
    with pytest.raises(ValueError, match="seconds"):
        animate(fit.path_, X, tmp_path / "em.html", seconds=0)
    assert list(tmp_path.iterdir()) == []
