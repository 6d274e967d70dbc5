"""Is a Gaussian mixture identified where cells are missing? Only what was seen together can be known.

With o_ia = 1 where feature a of sample i was observed, component k has the covariance coverage

    C_k,ab = Σ_i w_i r_ik o_ia o_ib

expected samples that show a and b together. The likelihood of the observed cells does not contain Σ_k,ab where that is
0 for every pattern: two features that were never observed together have any covariance that leaves the matrix positive
definite. In the same way a component with no sample in which a was observed has any mean and variance there.
Gaussian mixtures of whole samples are identifiable (Yakowitz & Spragins 1968).

Reference: Little & Rubin (2020), Statistical Analysis with Missing Data, section 7.4.
"""

from collections.abc import Collection
from functools import partial

import numpy as np

from em.gmm import e_step
from em.identifiability import Identifiability
from em.samples import Samples, weighted
from models.gmm import GMMParameters
from models.gmm.structures import declared_covariances
from models.parameters import NO_LABELS, Labels
from models.validation import Array

UNSEEN = 1e-8  # samples
MOST_NAMED = 3


def coverage(samples: Samples, parameters: GMMParameters) -> Array:
    """Return C, shape (K, D, D).

    Parameters
    ----------
    samples : Samples
        Rows and their weights; NaN where a cell is missing.
    parameters : GMMParameters
        The mixture.
    """
    C = np.zeros((parameters.n_components, parameters.n_features, parameters.n_features))
    for part in samples.parts():
        seen, r = (~np.isnan(part.X)).astype(np.float64), e_step(part.X, parameters)[0]
        C += np.einsum("nk,na,nb->kab", weighted(r, part.weights), seen, seen, optimize=True)
    return C


def identify(
    samples: Samples, parameters: GMMParameters, labels: Labels = NO_LABELS, frozen: Collection[str] = ()
) -> Identifiability:
    """Say which means and covariances no sample tells anything about.

    Parameters
    ----------
    samples : Samples
        What the mixture was fitted to.
    parameters : GMMParameters
        The estimate.
    labels : mapping of str to sequence of str
        What to call features, as :meth:`models.parameters.Quantity.entry` takes them.
    frozen : collection of str, default ()
        "weights", "means" or "covariances" that are known, and not asked about.
    """
    p = sum(n for name, n in parameters.n_free.items() if name not in frozen)
    if samples.complete:
        return Identifiability(True, p, p, "Gaussian mixtures of whole samples are identified")
    C = samples.sum_of(partial(coverage, parameters=parameters))
    diagonals = np.diagonal(C, axis1=1, axis2=2)
    names = labels.get("feature", [f"column {d}" for d in range(parameters.n_features)])
    seen = {"means": diagonals, "covariances": declared_covariances(parameters.covariance_type, C)}
    asked = [(quantity, seen[quantity.name]) for quantity in parameters.quantities[1:] if quantity.name not in frozen]
    places = ((q, weight, place) for q, weight in asked for place in q.support.distinct_entries(weight.shape))
    free = [q.entry(place, labels) for q, weight, place in places if weight[place] < UNSEEN]
    if not free:
        return Identifiability(True, p, p, f"identified: all {p} free parameters are seen")
    reasons = [f"{names[a]} and {names[b]} are never observed together" for a, b in _pairs(C.sum(axis=0))]
    if "means" not in frozen:
        reasons += [f"component {k} has no sample with {names[d]} observed" for k, d in np.argwhere(diagonals < UNSEEN)]
    if not reasons:  # seen together, and by none of some component's samples
        k, a, b = next((k, a, b) for k in range(len(C)) for a, b in _pairs(C[k]))
        reasons = [f"component {k} has no sample with {names[a]} and {names[b]} observed together"]
    sentence = (
        f"rank {p - len(free)} of {p} free parameters: {_listed(reasons, '; ')}, so {_listed(free, ', ')} may "
        "have any value that keeps covariances positive definite"
    )
    return Identifiability(False, p - len(free), p, sentence, {free[0]: 1.0})


def _pairs(C: Array) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in np.argwhere(C < UNSEEN) if a < b]


def _listed(names: list[str], between: str) -> str:
    return between.join(names[:MOST_NAMED]) + (
        f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    )
