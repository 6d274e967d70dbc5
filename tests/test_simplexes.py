"""Probability vectors side by side: each block is transformed, and weighed by a Jacobian, as a simplex of its own."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pymc.distributions.transforms import SimplexTransform
from random_mixtures import random_cmm

from models import cmm
from models.distributions.flat import ImproperPriorError
from models.distributions.simplexes import SimplexesTransform

LEVELS = (3, 2, 1, 4)


def test_blocks_go_to_the_real_line_and_back_each_as_a_simplex():
    transform, plain = SimplexesTransform(LEVELS, (2,)), SimplexTransform()
    probs = random_cmm(2, LEVELS, np.random.default_rng(0)).probs
    blocks = np.split(probs, np.cumsum(LEVELS)[:-1], axis=1)
    real = transform.forward(pt.constant(probs))
    parts, mode = [plain.forward(pt.constant(block)) for block in blocks], "FAST_COMPILE"
    np.testing.assert_allclose(real.eval(mode=mode), np.hstack([part.eval(mode=mode) for part in parts]), rtol=1e-14)
    assert real.eval(mode=mode).shape == (2, sum(LEVELS) - len(LEVELS))
    np.testing.assert_allclose(transform.backward(real).eval(mode=mode), probs, rtol=1e-13)
    jacobians = sum(plain.log_jac_det(part).eval(mode=mode) for part in parts)
    np.testing.assert_allclose(transform.log_jac_det(real).eval(mode=mode), jacobians, rtol=1e-13)


def test_draws_of_the_prior_have_the_mean_of_each_dirichlet():
    b = np.array([1.0, 2.0, 5.0, 3.0, 1.0])
    with cmm.build_marginal_model(np.zeros((2, 2)), 2, cmm.CMMPrior(2.0, b), (3, 2)) as model:
        draws = pm.draw(model["probs"], draws=4000, random_seed=0, mode="FAST_COMPILE")
    mean = np.concatenate([b[:3] / 8, b[3:] / 4])
    error = draws.std(axis=0) / np.sqrt(4000)
    assert (np.abs(draws.mean(axis=0) - mean) < 4.5 * error).all()


def test_flat_categorical_model_starts_in_the_middle_and_refuses_a_jacobian():
    model = cmm.build_marginal_model([[0, 1], [2, 0]], 2, None, levels=(3, 2))
    start = model.initial_point()
    log_density = model.compile_fn(model.logp(jacobian=False), mode="FAST_COMPILE")
    assert float(log_density(start)) == pytest.approx(2 * np.log(1 / 6), rel=1e-12)
    with pytest.raises(ImproperPriorError, match="jacobian=False"):
        model.compile_logp(mode="FAST_COMPILE")(start)
