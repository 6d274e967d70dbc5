"""The choices of the page's controls, and the functions that they call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from comparisons.explorer.steps import ByHand
from comparisons.families import family_class, family_classes
from models.supports import Index

MOST_SLIDERS = 8
TICKS = 200
SHARE = {"flex": "1 1 420px", "min-width": "min(100%, 420px)", "max-width": "100%"}  # CSS of each part of a row
Setter = Callable[[Callable[[ByHand], ByHand]], None]


@dataclass(frozen=True)
class Slider:
    """A number of one component that is moved by hand."""

    place: Index
    label: str
    start: float
    stop: float
    step: float
    value: float


def choices() -> dict[str, str]:
    """Return the names of families with built-in data by their titles, those of continuous data first."""
    classes = [one for one in family_classes() if one.datasets]
    discrete = {cls: cls.categorical or cls.parameters_type.cells.whole for cls in classes}
    return {cls.title: cls.name for cls in sorted(classes, key=discrete.__getitem__)}


def structures(family: str) -> dict[str, tuple[str, ...]]:
    """Return the options of a family's mixture with a list of choices, such as structures of covariances, by name."""
    options = family_class(family).options
    return {option.name: option.choices for option in options if option.choices and not option.of_data}


def sliders_of(hand: ByHand, component: int) -> list[Slider]:
    """Return a slider for each number of a component's location, at most eight.

    Its range is that of the feature, or from 0 to 1 for a probability.
    """
    quantity, X = hand.moves, hand.X
    labels, values = hand.family.labels(hand.dataset.feature_names), getattr(hand.parameters, quantity.name)
    sliders = []
    for d, value in enumerate(values[component][:MOST_SLIDERS].tolist()):
        ends = (0.0, 1.0) if quantity.support.bounded else (X[:, d].min(), X[:, d].max())
        low, high = float(min(*ends, value)), float(max(*ends, value))
        step, shown = (high - low) / TICKS or 1 / TICKS, float(np.clip(float(f"{value:.4g}"), low, high))
        sliders.append(Slider((component, d), quantity.entry((component, d), labels), low, high, step, shown))
    return sliders


def on_press(set_state: Setter, step: str, *arguments: Any) -> Callable[[Any], None]:
    """Return the function of a button: call a method of :class:`ByHand` with these arguments."""
    return lambda _: set_state(lambda hand: getattr(hand, step)(*arguments))


def on_reset(set_state: Setter, start: ByHand) -> Callable[[Any], None]:
    """Return the function of the reset button: go back to the start."""
    return lambda _: set_state(lambda hand: start)


def on_move(set_state: Setter, place: Index) -> Callable[[float], None]:
    """Return the function of a slider: set one number."""
    return lambda value: set_state(lambda hand: hand.moved(place, float(value)))


def side_by_side(*parts: Any) -> Any:
    """Return parts of the page side by side, or below each other on a narrow page."""
    import marimo as mo

    return mo.hstack([part.style(SHARE) for part in parts], wrap=True, justify="start", gap=1)
