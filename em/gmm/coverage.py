"""Is a Gaussian mixture identified where cells are missing? A covariance needs samples that show both features.

With o_ia = 1 if feature a of sample i was observed, else 0, the covariance coverage of component k,

    C_k,ab = Σ_i w_i r_ik o_ia o_ib

is the expected number of samples that show a and b together. If it is 0, the likelihood of the observed cells does not
depend on Σ_k,ab, which may have any value that leaves the matrix positive definite. If C_k,aa is 0, component k may
have any mean and variance of feature a. Gaussian mixtures of complete samples are identifiable (Yakowitz & Spragins
1968).

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

UNSEEN = 1e-8  # expected samples, below which features count as never observed together
MOST_NAMED = 3  # reasons and parameters in the sentence


def coverage(samples: Samples, parameters: GMMParameters) -> Array:
    """Return C, shape (K, D, D).

    Parameters
    ----------
    samples : Samples
        Rows and their weights; NaN is a missing cell.
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
    """Return which means and covariances the observed cells leave free.

    Parameters
    ----------
    samples : Samples
        The samples that the mixture was fitted to.
    parameters : GMMParameters
        The estimate.
    labels : mapping of str to sequence of str
        Names of the features, as :meth:`models.parameters.Quantity.entry` takes them.
    frozen : collection of str, default ()
        Which of "weights", "means" and "covariances" were not estimated.
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
    if not reasons:  # every pair is observed together, but not within every component
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
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{between.join(names[:MOST_NAMED])}{more}"
