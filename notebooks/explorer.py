"""EM stepped by hand, on a page: ``python -m uv run marimo run notebooks/explorer.py``."""

import marimo

app = marimo.App(width="full", app_title="EM by hand")


@app.cell
def imports():
    import marimo as mo

    from comparisons import explorer
    from comparisons.data import built_in, load
    from em.starts import STARTS

    return STARTS, built_in, explorer, load, mo


@app.cell
def choose_family(explorer, mo):
    families = explorer.choices()
    family = mo.ui.dropdown(families, value=next(iter(families)), label="Family")
    return (family,)


@app.cell
def choose_data(STARTS, built_in, explorer, family, mo):
    _names = list(built_in(family.value))
    data = mo.ui.dropdown(_names, value=_names[0], label="Data")
    n_components = mo.ui.slider(1, 6, value=2, label="Components K", show_value=True)
    structure = mo.ui.dictionary(
        {
            name: mo.ui.dropdown(values, value=values[0], label=name.replace("_", " ").capitalize())
            for name, values in explorer.structures(family.value).items()
        }
    )
    start = mo.ui.dropdown(STARTS, value=STARTS[0], label="Start")
    seed = mo.ui.number(0, 999, value=0, label="Seed")
    mo.vstack(
        [
            mo.md("# EM by hand"),
            mo.hstack(
                [family, data, n_components, *structure.elements.values(), start, seed], wrap=True, justify="start"
            ),
        ]
    )
    return data, n_components, seed, start, structure


@app.cell
def begin(data, explorer, load, mo, n_components, seed, start, structure):
    _seed = int(seed.value or 0)  # the field takes 2.5, and may be empty
    first = explorer.by_hand(load(data.value), n_components.value, start.value, _seed, structure.value)
    hand, set_hand = mo.state(first)
    return first, hand, set_hand


@app.cell
def switches(mo):
    hard = mo.ui.switch(label="hard EM")
    with_prior = mo.ui.switch(label="MAP (with the prior)")
    return hard, with_prior


@app.cell
def buttons(explorer, first, hard, mo, set_hand, with_prior):
    _hard, _prior, _press = hard.value, with_prior.value, explorer.on_press
    take_e = mo.ui.button(
        label="hard E-step" if _hard else "E-step", kind="success", on_click=_press(set_hand, "e_step", _hard)
    )
    take_m = mo.ui.button(
        label="M-step with prior" if _prior else "M-step", kind="success", on_click=_press(set_hand, "m_step", _prior)
    )
    converge = mo.ui.button(label="EM until converged", on_click=_press(set_hand, "until_converged", _hard, _prior))
    sweep = mo.ui.button(label="Gibbs sweep", on_click=_press(set_hand, "gibbs_sweep"))
    reset = mo.ui.button(label="Reset", kind="warn", on_click=explorer.on_reset(set_hand, first))
    mo.hstack([take_e, take_m, converge, sweep, reset, hard, with_prior], wrap=True, justify="start", align="center")
    return converge, reset, sweep, take_e, take_m


@app.cell
def numbers(explorer, hand, mo, with_prior):
    _said = [mo.callout(hand().said, kind="warn")] if hand().said else []
    mo.vstack([mo.md(explorer.equation(hand(), with_prior.value)), *_said])
    return


@app.cell
def pictures_settings(first, mo):
    _names = {name: d for d, name in enumerate(first.dataset.feature_names)}
    across = mo.ui.dropdown(_names, value=next(iter(_names)), label="Across")
    up = mo.ui.dropdown(_names, value=list(_names)[min(1, len(_names) - 1)], label="Up")
    last_steps = mo.ui.slider(4, 60, value=12, label="Steps shown", show_value=True)
    return across, last_steps, up


@app.cell
def draw_data(across, explorer, hand, mo, samples, up):
    _row = samples.value[0]["sample"] if samples.value else None
    _figure = explorer.data_figure(hand(), (across.value, up.value), _row)
    picture_of_data = mo.image(explorer.as_address(_figure), alt="Samples in the colours of q, and components")
    return (picture_of_data,)


@app.cell
def draw_bound(explorer, hand, last_steps, mo, with_prior):
    _figure = explorer.bound_figure(hand(), last_steps.value, with_prior.value)
    picture_of_bound = mo.image(explorer.as_address(_figure), alt="Log-likelihood, bound and gap by step")
    return (picture_of_bound,)


@app.cell
def pictures(across, explorer, first, last_steps, mo, picture_of_bound, picture_of_data, up):
    _of_pair = [mo.hstack([across, up], wrap=True, justify="start")] if explorer.has_pairs(first) else []
    explorer.side_by_side(mo.vstack([picture_of_data, *_of_pair]), mo.vstack([picture_of_bound, last_steps]))
    return


@app.cell
def words(explorer, hand, mo, with_prior):
    _numbers = explorer.as_markdown(explorer.decomposition(hand(), with_prior.value))
    explorer.side_by_side(
        mo.md(explorer.words_of(hand().last.step)), mo.vstack([mo.md("### What it changed, in nats"), mo.md(_numbers)])
    )
    return


@app.cell
def choose_component(mo, n_components):
    component = mo.ui.dropdown([str(k) for k in range(n_components.value)], value="0", label="Component")
    return (component,)


@app.cell
def move(component, explorer, hand, mo, set_hand):
    sliders = mo.ui.array(
        [
            mo.ui.slider(
                slider.start,
                slider.stop,
                slider.step,
                value=slider.value,
                label=slider.label,
                show_value=True,
                debounce=True,
                on_change=explorer.on_move(set_hand, slider.place),
            )
            for slider in explorer.sliders_of(hand(), int(component.value))
        ]
    )
    _parameters = mo.md(explorer.as_markdown(explorer.parameter_rows(hand())))
    explorer.side_by_side(
        mo.vstack([mo.md("### Move a component"), component, *sliders.elements]),
        mo.vstack([mo.md("### Parameters"), _parameters.style(max_height="420px", overflow="auto")]),
    )
    return (sliders,)


@app.cell
def choose_sample(explorer, first, mo):
    samples = mo.ui.table(
        explorer.sample_rows(first),
        selection="single",
        initial_selection=[0],
        page_size=5,
        show_download=False,
        show_data_types=False,
    )
    return (samples,)


@app.cell
def one_sample(explorer, hand, mo, samples):
    _row = samples.value[0]["sample"] if samples.value else 0
    _rule = explorer.as_markdown(explorer.bayes_rule(hand(), _row))
    explorer.side_by_side(
        mo.vstack([mo.md("### Choose a sample"), samples]),
        mo.vstack([mo.md(f"### Bayes' rule for sample {_row}"), mo.md(_rule)]),
    )
    return


@app.cell
def formulas(explorer, family, mo):
    mo.accordion({"The formulas of this family": mo.md(explorer.family_formulas(family.value))})
    return


if __name__ == "__main__":
    app.run()
