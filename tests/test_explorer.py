"""The explorer takes the library's own steps, states the proof's numbers, and its page runs."""

import ast
import importlib.util
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer

import em
from benchmarks.explorer import look, numbers_in
from comparisons import explorer
from comparisons.data import built_in, load
from comparisons.explorer import by_hand
from comparisons.families import family_names
from em.bound import log_of
from em.families import conjugate_mixture
from em.gibbs import draw_labels, sweeps

PAGE = Path(__file__).resolve().parents[1] / "notebooks" / "explorer.py"
OF_EACH = {"gmm": "faithful", "bmm": "coins-ten-flips", "pmm": "accidents", "cmm": "hair-eye-color"}
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def steps_of(hand):
    return importlib.import_module(f"em.{hand.family.name}")


def options_of(hand):
    return {**hand.family.of_data, **hand.family.of_mixture}


@pytest.fixture(scope="module")
def page():
    """Return the notebook as a module."""
    specification = importlib.util.spec_from_file_location("explorer_page", PAGE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(params=[name for name in family_names() if built_in(name)])
def hand(request):
    """Return EM of each family, two components, before its first step."""
    return by_hand(load(OF_EACH.get(request.param) or next(iter(built_in(request.param)))), 2)


def assert_same_parameters(actual, expected):
    for name, array in expected.arrays().items():
        np.testing.assert_allclose(getattr(actual, name), array, **EXACT)


def test_steps_are_those_of_the_library(hand):
    r, log_likelihood = steps_of(hand).e_step(hand.X, hand.parameters, **hand.family.of_data)
    after_e = hand.e_step()
    np.testing.assert_array_equal(after_e.responsibilities, r)
    assert after_e.parameters is hand.parameters
    for with_prior, prior in ((False, None), (True, hand.prior)):
        after_m = after_e.m_step(with_prior)
        assert_same_parameters(after_m.parameters, steps_of(hand).m_step(hand.X, r, prior, **options_of(hand)))
        assert after_m.responsibilities is after_e.responsibilities
    assert after_e.last.log_likelihood == pytest.approx(log_likelihood, rel=1e-13)


def test_records_are_the_quantities_of_the_proof(hand):
    state = hand.e_step().m_step()
    log_joint = steps_of(hand).log_joint(hand.X, state.parameters, **hand.family.of_data)
    r, last = state.responsibilities, state.last
    assert (last.q, last.entropy, last.elbo) == (em.q_function(log_joint, r), em.entropy(r), em.elbo(log_joint, r))
    assert last.log_prior == hand.prior.log_prob(state.parameters)
    posterior, log_likelihood = steps_of(hand).e_step(hand.X, state.parameters, **hand.family.of_data)
    divergence = float(np.sum(r * (log_of(r) - log_of(posterior)), where=r > 0))
    assert last.gap == pytest.approx(divergence, rel=1e-6)
    assert last.log_likelihood == pytest.approx(log_likelihood, rel=1e-13)


def test_the_gap_closes_at_the_e_step_and_opens_at_the_m_step(hand):
    records = hand.e_step().m_step().e_step().m_step().records
    rounding = 1e-9 * abs(hand.last.log_likelihood)
    assert [record.gap > rounding for record in records] == [True, False, True, False, True]
    bounds = [record.elbo for record in records]
    assert (np.diff(bounds) > 0).all()
    for before, after in zip(records[1:-1:2], records[2::2], strict=True):
        assert after.log_likelihood - before.log_likelihood >= after.q - before.q - rounding


@pytest.mark.parametrize("with_prior", [False, True])
def test_until_converged_ends_where_the_estimator_does(with_prior):
    hand = by_hand(load("faithful"), 2)
    end = hand.until_converged(with_prior=with_prior)
    fit = hand.family.estimator(n_components=2, init=hand.parameters, prior=hand.prior if with_prior else None).fit(
        hand.X
    )
    assert end.said == ""
    assert end.last.log_likelihood + with_prior * end.last.log_prior == pytest.approx(fit.objective_, abs=1e-4)


def test_a_run_that_is_too_long_for_a_press_says_so_and_goes_on():
    hand = by_hand(load("saxony"), 3)
    once = hand.until_converged()
    assert "press again" in once.said
    assert 10 < len(once.records) < 100
    assert once.until_converged().last.log_likelihood > once.last.log_likelihood


def test_a_hard_step_takes_the_most_probable_component(hand):
    r = hand.e_step().responsibilities
    hard = hand.e_step(hard=True)
    np.testing.assert_array_equal(hard.responsibilities, np.eye(2)[r.argmax(axis=1)])
    assert hard.last.entropy == 0
    assert hard.last.gap == pytest.approx(-np.log(r.max(axis=1)).sum(), rel=1e-9)


def test_a_sweep_is_one_of_the_gibbs_sampler(hand):
    state = hand.e_step()
    drawn = state.gibbs_sweep()
    rng = np.random.RandomState(len(state.records))
    mixture = conjugate_mixture(hand.X, hand.prior, **hand.family.of_data)
    z, _ = draw_labels(log_of(state.responsibilities)[None], rng)
    expected = next(sweeps(mixture, z, 2, rng))
    np.testing.assert_array_equal(drawn.responsibilities.argmax(axis=1), expected["z"][0])
    for name in hand.family.parameter_names:
        np.testing.assert_array_equal(getattr(drawn.parameters, name), expected[name][0])
    assert drawn.last.log_likelihood == pytest.approx(expected["log_likelihood"][0], rel=1e-12)
    again = drawn.gibbs_sweep()
    assert not np.array_equal(again.parameters.weights, drawn.parameters.weights)


def test_a_slider_moves_one_number_and_probabilities_still_sum_to_one(hand):
    state = hand.e_step()
    slider = explorer.sliders_of(state, 1)[0]
    assert slider.start <= slider.value <= slider.stop
    value = slider.start + 0.3 * (slider.stop - slider.start)
    moved = state.moved(slider.place, value)
    name = state.moves.name
    before, after = getattr(state.parameters, name), getattr(moved.parameters, name)
    assert after[slider.place] == value
    np.testing.assert_array_equal(after[0], before[0])
    state.moves.support.check(name, after)
    assert moved.last.gap > 1e-3 > state.last.gap


def test_a_collapse_is_said_and_keeps_the_parameters():
    end = by_hand(load("collapsing"), 2).until_converged()
    assert "fell onto a point" in end.said
    assert "prior" in end.said
    assert end.m_step().parameters is end.parameters
    assert end.m_step(with_prior=True).said == ""


def test_rows_with_a_missing_cell_are_left_out_with_their_sizes():
    whole = load("accidents-missing")
    seen = ~np.isnan(whole.X).any(axis=1)
    hand = by_hand(whole, 2)
    np.testing.assert_array_equal(hand.X, whole.X[seen])
    np.testing.assert_array_equal(hand.family.exposure, whole.options["exposure"][seen])


def test_a_state_says_where_it_is(hand):
    said = repr(hand.e_step().m_step())
    assert said.startswith(f"EM by hand of {hand.dataset.name}, K = 2, after step 2 (M-step): log-likelihood -")
    assert said.endswith(" nats")


def test_tables_add_up(hand):
    state = hand.e_step().m_step()
    change = {row["nats"]: float(row["change"] or 0) for row in explorer.decomposition(state, with_prior=True)}
    assert change["log-likelihood"] == pytest.approx(change["Q"] + change["entropy H"] + change["gap KL"], abs=2e-4)
    total = change["log-likelihood"] + change["log prior"]
    assert total == pytest.approx(change["log-likelihood + log prior"], abs=2e-4)
    r, _ = steps_of(hand).e_step(hand.X, state.parameters, **hand.family.of_data)
    rows = explorer.bayes_rule(state, 7)
    assert [float(row["r, from θ"]) for row in rows] == pytest.approx(r[7], rel=1e-3)
    assert [float(row["q now"]) for row in rows] == pytest.approx(state.responsibilities[7], rel=1e-3)
    log_density = steps_of(hand).component_log_prob(hand.X, state.parameters, **hand.family.of_data)[7]
    assert [float(row["log density"]) for row in rows] == pytest.approx(log_density, rel=1e-3)
    moved = {row["parameter"]: row["change"] for row in explorer.parameter_rows(state)}
    assert float(moved["weights[0]"]) == pytest.approx(
        state.parameters.weights[0] - hand.parameters.weights[0], rel=0.06
    )


def test_the_points_of_the_picture_have_the_colours_of_q_and_not_of_the_parameters():
    hand = by_hand(load("faithful"), 2)
    start, after_e = (
        explorer.data_figure(state).axes[0].collections[0].get_facecolors() for state in (hand, hand.e_step())
    )
    assert len(np.unique(start, axis=0)) == 1
    after_m = explorer.data_figure(hand.e_step().m_step()).axes[0].collections[0].get_facecolors()
    np.testing.assert_array_equal(after_e, after_m)
    assert len(np.unique(after_e, axis=0)) > 10


def test_the_lines_of_the_bound_are_the_records():
    hand = by_hand(load("faithful"), 2).e_step().m_step()
    lines = {line.get_label(): line.get_ydata() for line in explorer.bound_figure(hand).axes[0].lines}
    assert lines["log-likelihood"].tolist() == [record.log_likelihood for record in hand.records]
    assert lines["bound Q + H"].tolist() == [record.elbo for record in hand.records]
    assert lines["Q"].tolist() == [record.q for record in hand.records]
    lines = {line.get_label(): line.get_ydata() for line in explorer.bound_figure(hand, with_prior=True).axes[0].lines}
    assert lines["log-likelihood + log prior"][-1] == hand.last.log_likelihood + hand.last.log_prior


def assert_is_whole(figure):
    """No text reaches out of the figure."""
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) > -0.02
    assert (drawn.x1, drawn.y1) < (width + 0.02, height + 0.02)


@pytest.mark.parametrize(("data", "K"), [("faithful", 6), ("galaxies", 6), ("digits-binary", 2), ("coins", 2)])
def test_nothing_of_a_picture_is_cut_off(data, K):
    hand = by_hand(load(data), K)
    assert_is_whole(explorer.data_figure(hand.e_step(), sample=0))
    assert_is_whole(explorer.bound_figure(hand.e_step().m_step()))


def test_what_is_written_under_many_steps_does_not_run_together():
    hand = by_hand(load("faithful"), 2)
    for i in range(14):
        hand = hand.e_step(hard=i % 3 == 0).m_step(with_prior=i % 3 == 0)
    figure = explorer.bound_figure(hand, 60)
    figure.draw_without_rendering()
    names = [text for text in figure.axes[1].texts if text.get_va() == "top"]
    ends = np.array([text.get_window_extent().intervalx for text in names])
    assert len(names) > 20
    assert (ends[1:, 0] > ends[:-1, 1]).all()
    assert_is_whole(figure)


def test_an_impossible_sample_has_a_bound_of_minus_infinity_and_is_drawn():
    hand = by_hand(load("coins-ten-flips"), 2).e_step().moved((0, 0), 0.0)
    assert (hand.last.elbo, hand.last.gap) == (-np.inf, np.inf)
    assert np.isfinite(hand.last.log_likelihood)
    bars = explorer.bound_figure(hand, with_prior=True).axes[1]
    assert [text.get_text() for text in bars.texts][-1] == "∞"
    assert np.isfinite(hand.e_step().last.gap)


def test_every_step_has_words_and_a_formula(hand):
    state = hand.e_step().m_step().e_step(hard=True).m_step(with_prior=True).gibbs_sweep()
    state = state.moved(explorer.sliders_of(state, 0)[0].place, explorer.sliders_of(state, 0)[0].value)
    for record in state.records:
        assert "$$" in explorer.words_of(record.step)
    formulas = explorer.family_formulas(hand.family.name)
    assert "E-step" in formulas
    assert ":mod:" not in formulas
    assert "\n:" not in formulas


def test_the_page_takes_steps_when_its_buttons_are_pressed(page):
    _, cells = page.app.run()
    explorer.on_press(cells["set_hand"], "e_step", False)(None)
    explorer.on_press(cells["set_hand"], "m_step", False)(None)
    explorer.on_move(cells["set_hand"], (1, 0))(4.0)
    state = cells["hand"]()
    assert [record.step for record in state.records] == ["start", "E-step", "M-step", "means moved"]
    assert state.parameters.means[1, 0] == 4.0
    explorer.on_reset(cells["set_hand"], cells["first"])(None)
    assert cells["hand"]() is cells["first"]


@pytest.mark.parametrize("seed", [2.5, None])
def test_the_field_of_the_seed_may_be_empty_or_hold_a_part(page, seed):
    chosen = {"data": "faithful", "n_components": 2, "seed": seed, "start": "k-means++", "structure": {}}
    _, cells = page.app.run(defs={name: SimpleNamespace(value=value) for name, value in chosen.items()})
    assert_same_parameters(cells["first"].parameters, by_hand(load("faithful"), 2, seed=int(seed or 0)).parameters)


def test_the_page_shows_every_family(page, hand):
    state = hand.e_step().m_step()
    outputs, _ = page.app.run(defs={"first": hand, "hand": lambda: state, "set_hand": print})
    shown = "".join(output.text for output in outputs if output is not None)
    assert f"{state.last.log_likelihood:.4f}" in shown
    assert hand.dataset.story.split(",")[0] in shown


def test_the_page_is_dark_where_the_system_is():
    settings = tomllib.loads((PAGE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["marimo"]["display"]["theme"] == "system"


def test_the_page_defines_nothing_but_cells():
    tree = ast.parse(PAGE.read_text(encoding="utf-8"))
    cells = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert len(cells) > 10
    for cell in cells:
        assert [ast.unparse(decorator) for decorator in cell.decorator_list] == ["app.cell"]
        inside = [node for part in cell.body for node in ast.walk(part)]
        definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        assert [node for node in inside if isinstance(node, definitions)] == [], f"{cell.name} belongs in a module"


def test_what_the_clicks_are_checked_by_reads_the_numbers_of_the_page(hand):
    state = hand.e_step().m_step()
    shown = numbers_in(explorer.equation(state).replace("*", ""))
    assert (shown.steps, shown.last) == (2, "M-step")
    last = state.last
    assert (shown.log_likelihood, shown.q, shown.entropy) == pytest.approx(
        (last.log_likelihood, last.q, last.entropy), abs=1e-4
    )
    assert shown.gap == pytest.approx(last.gap, rel=1e-3)


def test_a_machine_without_the_browser_is_told_what_to_install(tmp_path):
    with pytest.raises(typer.BadParameter, match="no program 'netscape': install one"):
        look("netscape", tmp_path)
