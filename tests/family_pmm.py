"""The Poisson rows of the table that contract tests run over."""

import numpy as np
from contract import Family, no_prior
from scipy.stats import poisson

from em import PoissonMixtureEM, pmm
from models.pmm import PMMParameters, PMMPrior, simulate

EXPOSURE = 2.5


def gamma_prior(K, D):
    return PMMPrior(1.7, np.linspace(1.2, 3, D), 0.4)


def parameters(rng, K, D):
    return PMMParameters(rng.dirichlet(np.full(K, 5.0)), rng.uniform(0.5, 6.0, size=(K, D)))


def draw(e):
    def of(parameters, n, rng):
        X, _ = simulate(parameters, n, e, rng)
        X[0], X[1] = 1, 15  # so that no column is constant, and every estimate under soft responsibilities is interior
        return X

    return of


def known(e):
    def of(groups, prior):
        a, b = (1.0, 0.0) if prior is None else (prior.shape, prior.rate)
        return {"rates": np.array([(X.sum(axis=0) + a - 1) / (e * len(X) + b) for X in groups])}

    return of


def poisson_row(name, e, prior):
    return Family(
        name=name,
        steps=pmm,
        estimator=PoissonMixtureEM,
        prior=prior,
        parameters=parameters,
        simulate=draw(e),
        known=known(e),
        log_prob=lambda x, theta, k: poisson(e * theta.rates[k]).logpmf(x).sum(),
        to_vector=lambda theta: np.log(theta.rates).ravel(),
        from_vector=lambda weights, vector, K, D: PMMParameters(weights, np.exp(vector.reshape(K, D))),
        n_free=5,
        expected=lambda theta: e * theta.rates,
        options={} if e == 1 else {"exposure": e},
    )


ROWS = [
    poisson_row("poisson-ML", 1, no_prior),
    poisson_row("poisson-MAP", 1, gamma_prior),
    poisson_row("poisson-exposure-ML", EXPOSURE, no_prior),
    poisson_row("poisson-exposure-MAP", EXPOSURE, gamma_prior),
]
