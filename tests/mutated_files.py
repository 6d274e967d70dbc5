"""Random changes to what `em.save` wrote: a part replaced, removed, repeated, moved, scaled or given another type."""

import copy
import json

from em.saving import _checksum

VALUES = [
    *[0, 1, -1, 2, 3, 5, 10**30, 0.5, -0.25, 1e308, 1e-320, 1.0, True, False, None, "", "nan", "inf", "-inf", "full"],
    *["diag", "spherical", "tied", "float32", "int64", "object", "bool", "weights_", "KMeans", "GaussianMixtureEM"],
    *[[], {}, [0], [0.5, 0.5], [[0.0]], {"float": "nan"}, {"dict": {}}, {"list": [1, 2]}, {"GMMParameters": {}}],
    *[{"array": {"dtype": "float64", "shape": [2], "values": [0.5, 0.5]}}, {"dict": {"weights": {"list": [0.5, 0.5]}}}],
    *[{"scalar": {"dtype": "float64", "shape": [], "values": [0.5]}}, {"BMMPrior": {"concentration": 2.0}}],
]


def places(node, found):
    """Add each (container, key) of a document to ``found``."""
    keys = node.keys() if isinstance(node, dict) else range(len(node))
    for key in keys:
        found.append((node, key))
        if isinstance(node[key], dict | list):
            places(node[key], found)
    return found


def mutate(document, rng):
    """Return a copy of the document with up to three changes, and a checksum that fits."""
    changed = copy.deepcopy(document)
    for _ in range(rng.randint(1, 4)):
        there = places(changed["model"], [])
        by_depth = (
            there if rng.rand() < 0.3 else [one for one in there if not isinstance(one[1], int) or rng.rand() < 0.1]
        )
        container, key = by_depth[rng.randint(len(by_depth))]
        change(container, key, there, rng)
    changed["checksum"] = _checksum(changed["model"])
    return json.loads(json.dumps(changed))


def change(container, key, there, rng):
    """Make one change at this place."""
    value, kind = container[key], rng.randint(6)
    if kind == 0:
        del container[key]
    elif kind == 1:
        other, place = there[rng.randint(len(there))]
        container[key] = copy.deepcopy(other[place]) if other[place] is not container else value
    elif kind == 2 and isinstance(value, int | float):
        container[key] = value * [-1, 2, 0.5, 1 + 1e-4, 1e200, 1e-200][rng.randint(6)]
    elif kind == 3 and isinstance(value, list) and value:
        value.append(value[rng.randint(len(value))])
    elif kind == 4 and isinstance(value, list) and value:
        del value[rng.randint(len(value))]
    elif kind == 5 and isinstance(value, int) and isinstance(container, list):
        container[key] = value + rng.choice([-1, 1]).item()
    else:
        container[key] = copy.deepcopy(VALUES[rng.randint(len(VALUES))])
