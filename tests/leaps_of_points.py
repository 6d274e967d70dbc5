"""Points of EM fed to the engine's leaps one at a time, as a single run would."""

from dataclasses import replace

import numpy as np

from em import BernoulliMixtureEM, GaussianMixtureEM
from em.engine.leaps import Leaps
from em.samples import Samples
from models.bmm import BMMParameters


def problem_like(parameters, **changes):
    """The problem of some data with a mixture of this shape; its data do not matter here."""
    K, D = parameters.n_components, parameters.n_features
    X = np.random.RandomState(0).randint(2, size=(4 * K + 8, D)).astype(float)
    counts = isinstance(parameters, BMMParameters)
    estimator = BernoulliMixtureEM(K) if counts else GaussianMixtureEM(K, covariance_type=parameters.covariance_type)
    problem = estimator._problem(Samples(X, None, np.ones(len(X), dtype=bool), len(X)))
    return replace(problem, scales=dict.fromkeys(problem.shapes, 1.0), **changes)


def leap_from(*points, acceleration="squarem", **changes):
    """The leaps, and the one proposed after the last point, as parameters, or None."""
    problem = problem_like(points[0], **changes)
    leaps = Leaps(problem, 1, acceleration)
    for point in points:
        x, proposed = leaps.after(problem.join({name: array[None] for name, array in point.arrays().items()}))
    return leaps, problem.build(problem.split(x[0])) if proposed[0] else None
