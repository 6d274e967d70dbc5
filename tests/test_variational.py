"""Mean field: a lower bound that climbs, tight where it must be, and scikit-learn's where both are defined."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import reference_data
from scipy.special import digamma, entr, softmax
from scipy.stats import beta, dirichlet, invgamma, invwishart, norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture

from comparisons.evidence.exact import exact_posterior
from em import NotConvergedWarning
from em.engine import run_em
from em.families import conjugate_mixture
from em.gibbs import one_hot
from em.gmm.posterior import GaussianPosterior
from em.steps.conjugate import ConjugatePosterior
from em.variational import variational
from models.bmm import BMMPrior
from models.gmm import GMMPrior
from models.gmm.structures import COVARIANCE_TYPES, full_matrices

FAITHFUL = reference_data.faithful()


def gaussian_prior(kind, D=2, concentration=0.8):
    scale = {"diag": np.linspace(0.8, 1.2, D), "spherical": 0.9}.get(kind, 0.3 + np.eye(D))
    return GMMPrior(concentration, np.linspace(-0.5, 0.5, D), 0.5, D + 2.5, scale, kind)


CASES = [*COVARIANCE_TYPES, "bernoulli", "binomial"]


def problem(case, n=8):
    """Return (X, prior, sizes of the cells by name) of a few samples that overlap."""
    rng = np.random.default_rng(3)
    first = np.arange(n)[:, None] < n // 2
    if case in ("bernoulli", "binomial"):
        trials = 1 if case == "bernoulli" else [4, 2]
        return (
            rng.binomial(trials, np.where(first, 0.2, 0.8), size=(n, 2)),
            BMMPrior(0.7, 1.5, 0.8),
            {"n_trials": trials},
        )
    return rng.normal(size=(n, 2)) + 2.0 * first, gaussian_prior(case), {}


@pytest.mark.parametrize("case", CASES)
def test_elbo_is_the_evidence_of_one_component_and_q_its_posterior(case):
    X, prior, sizes = problem(case)
    mean_field, exact = variational(X, 1, prior, **sizes), exact_posterior(X, 1, prior, **sizes)
    assert mean_field.elbo == pytest.approx(exact.log_evidence, abs=1e-10)  # tens of terms of size 1 to 100
    for name, value in exact.means.items():
        np.testing.assert_allclose(mean_field.mean[name], value, rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("case", CASES)
def test_elbo_stays_below_the_exact_evidence_from_every_start_and_on_the_way(case, K):
    X, prior, sizes = problem(case)
    exact = exact_posterior(X, K, prior, **sizes).log_evidence
    for seed in range(3):
        mean_field = variational(X, K, prior, **sizes, n_init=1, random_state=seed)
        assert (mean_field.history < exact).all()
        # mean field misses K! labellings and the dependence of z and θ: some nats
        assert mean_field.history[-1] == mean_field.elbo > exact - 10


@pytest.mark.parametrize("case", CASES)
def test_elbo_never_decreases(case):
    X, prior, sizes = problem(case, n=60)
    r = np.random.default_rng(0).dirichlet(np.ones(4), size=60)
    mean_field = variational(X, 4, prior, **sizes, init=r)
    assert mean_field.converged
    assert len(mean_field.history) > 5
    assert np.diff(mean_field.history).min() > -1e-11 * abs(mean_field.elbo)  # rounding of a sum of 60 terms


@pytest.mark.parametrize("case", CASES)
def test_elbo_is_an_average_over_q_of_the_log_joint_density(case):
    """ELBO = E_q[Σ r log p(x, z | θ) + log p(θ) - log q(θ)] + H(r): draws from q, densities of p and q from SciPy."""
    X, prior, sizes = problem(case)
    K, n_draws, zero = 2, 4_000, np.zeros((2, 2))
    mean_field = variational(X, K, prior, **sizes, n_init=1, random_state=0)
    q, r, draws = mean_field.distribution, mean_field.responsibilities, mean_field.draw(n_draws, random_state=1)
    if isinstance(q, ConjugatePosterior):
        p = ConjugatePosterior(q.steps, np.full(K, 0.7), (zero + 1.5, zero + 0.8))
    else:
        numbers = np.full(K, 0.8), zero + prior.mean, np.full(K, 0.5), np.array(4.5), prior.scale
        p = GaussianPosterior(*numbers, case)
    log_joint = conjugate_mixture(X, prior, **sizes).log_joint(draws)
    terms = (r * log_joint).sum(axis=(1, 2)) + log_density(draws, p) - log_density(draws, q)
    terms = terms + entr(r).sum()
    error = terms.std() / np.sqrt(n_draws)
    assert error < 0.1
    assert terms.mean() == pytest.approx(mean_field.elbo, abs=4 * error)


def log_density(draws, q):
    """Return the log density of each draw, by SciPy."""
    total = dirichlet(q.concentration).logpdf(draws["weights"].T)
    if isinstance(q, ConjugatePosterior):
        return total + beta(q.successes, q.failures).logpdf(draws["probs"]).sum(axis=(1, 2))
    covariances, kind = draws["covariances"], q.covariance_type
    roots = np.linalg.cholesky(full_matrices(kind, covariances, 2, 2) / q.mean_precision[:, None, None])
    whitened = np.linalg.solve(roots, (draws["means"] - q.location)[..., None])[..., 0]
    half_log_det = np.log(np.diagonal(roots, axis1=-2, axis2=-1)).sum(axis=(1, 2))
    total = total + norm.logpdf(whitened).sum(axis=(1, 2)) - half_log_det
    if kind in ("diag", "spherical"):
        return total + invgamma(q.degrees_of_freedom / 2, scale=q.scale / 2).logpdf(covariances).reshape(
            len(total), -1
        ).sum(axis=1)
    declared = covariances.reshape(len(total), -1, 2, 2)
    count = declared.shape[1]
    degrees, scales = np.broadcast_to(q.degrees_of_freedom, count), np.broadcast_to(q.scale, (count, 2, 2))
    parts = [invwishart(degrees[j], scales[j]).logpdf(declared[:, j].transpose(1, 2, 0)) for j in range(count)]
    return total + np.sum(parts, axis=0)


class Started(BayesianGaussianMixture):
    """scikit-learn's, from given responsibilities."""

    def _initialize_parameters(self, X, *args, **kwargs):
        self._initialize(X, start_of(len(X), self.n_components))


def start_of(n, K):
    return np.random.default_rng(0).dirichlet(np.ones(K), size=n)


# scikit-learn's diagonal and spherical priors have one Wishart's digammas and no factor D in their degrees of freedom,
# and its tied one counts n / K samples: they are a model's only where they are the full one.
BOTH_DEFINED = [("full", 2, 4), ("full", 1, 4), ("diag", 1, 4), ("spherical", 1, 4), ("tied", 2, 1), ("tied", 1, 1)]


@pytest.mark.parametrize(("kind", "D", "K"), BOTH_DEFINED)
def test_the_same_path_as_scikit_learn_where_both_are_defined(kind, D, K):
    X = FAITHFUL[:, :D]
    prior = replace(GMMPrior.weakly_informative(X, K, kind), concentration=0.02, mean_precision=0.5)
    rival = Started(
        n_components=K,
        covariance_type=kind,
        weight_concentration_prior_type="dirichlet_distribution",
        weight_concentration_prior=0.02,
        mean_prior=prior.mean,
        mean_precision_prior=0.5,
        degrees_of_freedom_prior=prior.degrees_of_freedom,
        covariance_prior=prior.scale,
        reg_covar=0.0,
        tol=0.0,
        max_iter=150,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", NotConvergedWarning)
        rival.fit(X)
        ours = variational(X, K, prior, init=start_of(len(X), K), tol=0.0, max_iter=150)
    q = ours.distribution
    for mine, theirs in [
        (q.concentration, rival.weight_concentration_),
        (q.location, rival.means_),
        (q.mean_precision, rival.mean_precision_),
        (q.harmonic_covariances(), rival.covariances_),
    ]:
        np.testing.assert_allclose(mine, np.reshape(theirs, np.shape(mine)), rtol=1e-6)
    np.testing.assert_allclose(np.ravel(q.degrees_of_freedom), np.ravel(rival.degrees_of_freedom_), rtol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), rival.predict_proba(X), atol=1e-6)


def test_responsibilities_are_the_expected_log_joint_by_the_textbooks_formula():
    """Bishop (2006), equations 10.46, 10.64, 10.65 and 10.66, sample by sample."""
    X, prior, _ = problem("full")
    q = variational(X, 3, prior, n_init=1, random_state=0)
    nu, W, beta_k = (
        q.distribution.degrees_of_freedom,
        np.linalg.inv(q.distribution.scale),
        q.distribution.mean_precision,
    )
    a, m, D = q.distribution.concentration, q.distribution.location, 2
    rho = np.empty((len(X), 3))
    for k in range(3):
        log_det = digamma(nu[k] / 2) + digamma((nu[k] - 1) / 2) + D * np.log(2) + np.log(np.linalg.det(W[k]))
        for i, x in enumerate(X):
            quadratic = D / beta_k[k] + nu[k] * (x - m[k]) @ W[k] @ (x - m[k])
            rho[i, k] = digamma(a[k]) - digamma(a.sum()) + log_det / 2 - D / 2 * np.log(2 * np.pi) - quadratic / 2
    np.testing.assert_allclose(q.responsibilities, softmax(rho, axis=1), atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_means_and_standard_deviations_are_those_of_draws(case):
    X, prior, sizes = problem(case, n=30)
    mean_field = variational(X, 2, prior, **sizes, n_init=1, random_state=2)  # none emptied: it has no sd
    draws = mean_field.draw(4_000, random_state=1)
    for name, values in draws.items():
        spread = values.std(axis=0)
        np.testing.assert_array_less(np.abs(values.mean(axis=0) - mean_field.mean[name]), 4 * spread / np.sqrt(4_000))
        fourth = ((values - values.mean(axis=0)) ** 4).mean(axis=0) / spread**4  # the error of a standard deviation
        error = np.sqrt((fourth - 1) / 4_000) / 2
        np.testing.assert_array_less(np.abs(mean_field.standard_deviation[name] / spread - 1), 5 * error, err_msg=name)


def test_moments_that_do_not_exist_are_nan():
    X, prior = np.array([[0.0], [0.1], [0.2]]), GMMPrior(0.01, [0.1], 1.0, 1.5, 0.01, "spherical")
    mean_field = variational(X, 2, prior, random_state=0)
    empty = int(mean_field.mean["weights"].argmin())
    assert np.isnan(mean_field.mean["covariances"][empty])
    assert np.isfinite(mean_field.mean["covariances"][1 - empty])
    assert np.isnan(mean_field.standard_deviation["means"][empty]).all()


def test_a_sparse_dirichlet_empties_the_components_that_are_not_needed():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(90, 2)) + 8])
    prior = replace(GMMPrior.weakly_informative(X, 6), concentration=0.01)
    weights = np.sort(variational(X, 6, prior, n_init=3, random_state=0).mean["weights"])
    np.testing.assert_allclose(weights[:4], 0.01 / 150.06, rtol=1e-3)
    np.testing.assert_allclose(weights[4:], [0.4, 0.6], atol=1e-3)
    Y = np.concatenate([rng.binomial(1, 0.1, size=(60, 8)), rng.binomial(1, 0.9, size=(90, 8))])
    weights = np.sort(variational(Y, 5, BMMPrior(0.01, 1.0, 1.0), random_state=0).mean["weights"])
    np.testing.assert_allclose(weights[3:], [0.4, 0.6], atol=0.02)


@pytest.mark.parametrize(("concentration", "emptied"), [(0.01, True), (1.0, True), (4.0, False)])
def test_components_are_best_emptied_below_a_concentration_of_three_and_restarts_find_it(concentration, emptied):
    X = FAITHFUL[:100]  # a component has 5 parameters, and (5 + 1) / 2 = 3
    prior = replace(GMMPrior.weakly_informative(X, 5), concentration=concentration)
    two = variational(X, 5, prior, init=one_hot((X[:, 0] > 3).astype(int), 5))
    best = variational(X, 5, prior, n_init=5, random_state=0)
    assert best.elbo > two.elbo - 1e-6
    assert ((best.responsibilities.sum(axis=0) < 0.5).sum() == 3) == emptied


@pytest.mark.parametrize("case", CASES)
def test_restarts_that_leave_their_race_would_not_have_won(case, monkeypatch):
    X, prior, sizes = problem(case, n=120)
    statuses = list[str]()

    def kept(*arguments, **settings):
        runs = run_em(*arguments, **settings)
        statuses.extend(run.status for run in runs)
        return runs

    def to_the_end(*arguments, races, **settings):
        return run_em(*arguments, **settings)

    monkeypatch.setattr("em.variational.run_em", kept)
    raced = variational(X, 4, prior, **sizes, random_state=3)
    assert any("out of reach" in status for status in statuses)
    monkeypatch.setattr("em.variational.run_em", to_the_end)
    assert raced.elbo == pytest.approx(variational(X, 4, prior, **sizes, random_state=3).elbo, abs=1e-6)


def test_repeated_rows_and_missing_counts_change_nothing_but_what_they_should():
    X, prior, _ = problem("bernoulli", n=40)
    r = start_of(40, 2)
    np.testing.assert_allclose(variational(X, 2, prior, init=r).predict_proba(X[:1]).sum(), 1)
    with_none = np.vstack([X.astype(float), [[np.nan, np.nan]]])
    one = variational(X, 2, prior, init=r)
    other = variational(with_none, 2, prior, init=np.vstack([r, [0.5, 0.5]]))
    np.testing.assert_array_equal(other.history, one.history)
    assert other.responsibilities.shape == (41, 2)


def test_new_counts_have_the_trials_of_the_samples_fitted_where_these_share_them():
    X, prior = np.array([[3.0, 0.0], [np.nan, 2.0], [1.0, 1.0], [0.0, 2.0]]), BMMPrior(1.0, 1.0, 1.0)
    fitted = variational(X, 2, prior, n_trials=[4, 2], random_state=0)
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(X, n_trials=[4, 2]))
    np.testing.assert_allclose(fitted.predict_proba(X), fitted.responsibilities, atol=1e-12)
    by_row = variational(X, 2, prior, n_trials=[[4, 2], [4, 2], [4, 3], [4, 2]], random_state=0)
    with pytest.raises(ValueError, match="n_trials must be given for new rows, since it differed"):
        by_row.predict_proba(X)


def test_restarts_are_reproducible_and_the_best_is_kept():
    X, prior, _ = problem("full", n=20)
    one, other = (variational(X, 3, prior, n_init=5, random_state=1) for _ in range(2))
    np.testing.assert_array_equal(one.history, other.history)
    assert one.elbo >= variational(X, 3, prior, n_init=1, random_state=1).elbo
    assert one.status.endswith("best of 5 restarts")


def test_no_convergence_is_a_warning():
    X, prior, _ = problem("full", n=60)
    with pytest.warns(NotConvergedWarning, match="stopped at max_iter=2"):
        assert not variational(X, 4, prior, max_iter=2, n_init=1, random_state=0).converged


def test_bad_input_is_named():
    prior, X = GMMPrior(1.0, [0.0], 1.0, 3.0, [[1.0]]), np.arange(4.0)[:, None]
    for arguments, settings, message in [
        (([[np.nan]], 2, prior), {}, "X must have no missing cell under a GMMPrior"),
        ((X, 0, prior), {}, "n_components must be a whole number of at least 1, got 0"),
        ((X, 2, None), {}, "prior must be conjugate, such as a GMMPrior, got NoneType"),
        ((np.zeros((4, 2)), 2, prior), {}, r"prior.mean must have shape \(2,\)"),
        ((X + 0.5, 2, BMMPrior()), {}, "X must hold only 0 and 1"),
        ((X, 2, prior), {"n_init": 0}, "n_init must be a whole number of at least 1, got 0"),
        ((X, 2, prior), {"max_iter": 0}, "max_iter must be a whole number"),
        ((X, 2, prior), {"tol": -1}, "tol must be finite and at least 0, got -1"),
        ((X, 2, prior), {"init": np.ones((4, 1))}, r"init must be responsibilities of shape \(4, 2\), got \(4, 1\)"),
        ((X, 2, prior), {"init": np.ones((4, 2))}, r"init must be responsibilities .* sum to 1"),
        ((X, 2, prior), {"init": [[1], [0, 1]]}, r"init must be responsibilities of shape \(4, 2\): .*inhomogeneous"),
    ]:
        with pytest.raises(ValueError, match=message):
            variational(*arguments, **settings)
    with pytest.raises(TypeError, match="n_trials must be left out under a GMMPrior"):
        variational(X, 2, prior, n_trials=3)
    with pytest.raises(ValueError, match="X must have 1 columns like the samples fitted, got 2"):
        variational(X, 1, prior).predict_proba(np.zeros((1, 2)))
