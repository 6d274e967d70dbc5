"""Enumeration is exact: sample by sample, by quadrature, and by what probabilities must add up to."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from random_mixtures import random_bmm_prior, random_gmm_prior
from scipy.special import gammaln, logsumexp
from scipy.stats import betabinom, dirichlet, invgamma, multivariate_t, nbinom, norm, t

from comparisons.evidence.exact import exact_posterior, log_joint_of_labels
from em.gmm.posterior import conjugate_posterior
from em.variational import variational
from models.bmm import BMMPrior
from models.cmm import CMMPrior
from models.gmm import GMMParameters, GMMPrior
from models.gmm.structures import COVARIANCE_TYPES, covariances_shape
from models.pmm import PMMPrior

TOLERANCE = 1e-10  # sums of some hundred terms of size 1 to 100, each right to 15 digits


class OneByOne:
    """The conjugate posterior updated by one sample after the other, with known labels."""

    def __init__(self, K, prior):
        self.kind, D = prior.covariance_type, len(prior.mean)
        self.kappa, self.m = np.full(K, prior.mean_precision), np.tile(prior.mean, (K, 1))
        copies = 1 if self.kind == "tied" else K
        self.nu, self.psi = [prior.degrees_of_freedom] * copies, [np.array(prior.scale) for _ in range(copies)]
        self.D = D

    def log_predictive(self, x, k):
        """Student's t, of one sample in component k."""
        j = 0 if self.kind == "tied" else k
        widening, nu, psi = (self.kappa[k] + 1) / self.kappa[k], self.nu[j], self.psi[j]
        if self.kind == "diag":
            return t(nu, self.m[k], np.sqrt(psi * widening / nu)).logpdf(x).sum()
        df = nu if self.kind == "spherical" else nu - self.D + 1
        shape = psi * np.eye(self.D) if self.kind == "spherical" else psi
        return multivariate_t(self.m[k], shape * widening / df, df).logpdf(x)

    def add(self, x, k):
        j = 0 if self.kind == "tied" else k
        gap, kappa = x - self.m[k], self.kappa[k]
        squares = {"diag": gap**2, "spherical": gap @ gap}.get(self.kind, np.outer(gap, gap))
        self.psi[j] = self.psi[j] + kappa / (kappa + 1) * squares
        self.nu[j] += self.D if self.kind == "spherical" else 1
        self.m[k] = (kappa * self.m[k] + x) / (kappa + 1)
        self.kappa[k] += 1

    def means(self):
        excess = 2 if self.kind in ("diag", "spherical") else self.D + 1
        covariances = np.array([psi / (nu - excess) for psi, nu in zip(self.psi, self.nu, strict=True)])
        return {"means": self.m, "covariances": covariances[0] if self.kind == "tied" else covariances}


def labels_one_by_one(X, K, a, log_predictive_of, means_of):
    """Return everything by naive enumeration, p(X, z) being a product of predictive probabilities."""
    n, labellings = len(X), []
    for z in product(range(K), repeat=n):
        counts, log_joint = np.zeros(K), 0.0
        log_prob, state = log_predictive_of(z)
        for i, k in enumerate(z):
            log_joint += np.log((a[k] + counts[k]) / (a.sum() + i)) + log_prob[i]
            counts[k] += 1
        weights = {"weights": (a + counts) / (a.sum() + n)}
        labellings.append((log_joint, np.array(z), weights | means_of(state)))
    log_joints = np.array([row[0] for row in labellings])
    log_evidence = logsumexp(log_joints)
    p = np.exp(log_joints - log_evidence)
    labels = np.array([row[1] for row in labellings])
    return {
        "log_evidence": log_evidence,
        "co_clustering": np.einsum("z,zij->ij", p, labels[:, :, None] == labels[:, None, :]),
        "n_occupied": np.bincount([len(set(z)) for z in labels], p, K + 1),
        "responsibilities": np.einsum("z,zik->ik", p, labels[:, :, None] == np.arange(K)),
        "means": {name: np.tensordot(p, [row[2][name] for row in labellings], 1) for name in labellings[0][2]},
    }


def assert_same(exact, naive):
    for name in ("log_evidence", "co_clustering", "n_occupied", "responsibilities"):
        np.testing.assert_allclose(getattr(exact, name), naive[name], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)
    assert exact.means.keys() == naive["means"].keys()
    for name, value in naive["means"].items():
        np.testing.assert_allclose(exact.means[name], value, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize(("n", "K", "D"), [(5, 1, 2), (4, 2, 1), (5, 2, 2), (4, 3, 2)])
def test_gaussian_enumeration_equals_students_t_sample_by_sample(kind, n, K, D):
    rng = np.random.default_rng([n, K, D])
    prior, X = random_gmm_prior(K, D, rng, kind), 2 * rng.normal(size=(n, D))
    prior = GMMPrior(prior.concentration - 0.9, prior.mean, prior.mean_precision, D + 2.5, prior.scale, kind)

    def log_predictive_of(z):
        state, log_prob = OneByOne(K, prior), []
        for x, k in zip(X, z, strict=True):
            log_prob.append(state.log_predictive(x, k))
            state.add(x, k)
        return log_prob, state

    naive = labels_one_by_one(X, K, np.broadcast_to(prior.concentration, K), log_predictive_of, OneByOne.means)
    assert_same(exact_posterior(X, K, prior), naive)


@pytest.mark.parametrize(("K", "trials"), [(1, [2, 3]), (2, 1), (2, [2, 3]), (3, 5)], ids=str)
def test_count_enumeration_equals_beta_binomials_sample_by_sample(K, trials):
    rng = np.random.default_rng(K)
    prior, X = random_bmm_prior(K, 2, rng), rng.binomial(trials, 0.5, size=(4, 2))
    m = np.broadcast_to(trials, 2)

    def log_predictive_of(z):
        b, c, log_prob = np.tile(prior.successes, (K, 1)), np.tile(prior.failures, (K, 1)), []
        for x, k in zip(X, z, strict=True):
            log_prob.append(betabinom(m, b[k], c[k]).logpmf(x).sum())
            b[k], c[k] = b[k] + x, c[k] + m - x
        return log_prob, {"probs": b / (b + c)}

    naive = labels_one_by_one(X, K, prior.concentration, log_predictive_of, lambda state: state)
    assert_same(exact_posterior(X, K, prior, n_trials=trials), naive)


def test_poisson_enumeration_equals_negative_binomials_sample_by_sample():
    X, e, a = np.array([[3, 1], [10, 2], [2, 0], [12, 4]]), np.array([1.0, 2.5]), np.array([0.7, 2.0])
    prior = PMMPrior(a, [2.0, 0.5], 0.5)

    def log_predictive_of(z):
        b, c, log_prob = np.tile(prior.shape, (2, 1)), np.full((2, 2), 0.5), []
        for x, k in zip(X, z, strict=True):
            log_prob.append(nbinom(b[k], c[k] / (c[k] + e)).logpmf(x).sum())
            b[k], c[k] = b[k] + x, c[k] + e
        return log_prob, {"rates": b / c}

    assert_same(exact_posterior(X, 2, prior, exposure=e), labels_one_by_one(X, 2, a, log_predictive_of, lambda s: s))


def test_categorical_enumeration_equals_dirichlet_multinomials_sample_by_sample():
    codes, a = np.array([[0, 2], [1, 0], [0, 1], [1, 2]]), np.array([0.7, 2.0])
    cells = codes + np.array([0, 2])  # of 2 and 3 levels, side by side
    X = np.array([["ny"[answer], "abc"[colour]] for answer, colour in codes], dtype=object)
    prior = CMMPrior(a, np.array([1.0, 2.0, 0.5, 1.5, 3.0]))

    def log_predictive_of(z):
        b, log_prob = np.tile(prior.pseudo_counts, (2, 1)), []
        for own, k in zip(cells, z, strict=True):
            log_prob.append(np.log(b[k, own] / [b[k, :2].sum(), b[k, 2:].sum()]).sum())
            b[k, own] += 1
        return log_prob, {"probs": b / np.repeat(np.add.reduceat(b, [0, 2], axis=1), [2, 3], axis=1)}

    assert_same(exact_posterior(X, 2, prior), labels_one_by_one(X, 2, a, log_predictive_of, lambda state: state))


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_evidence_of_one_component_equals_quadrature_over_mean_and_variance(kind):
    """Trapezoids over log σ² and v = (μ - x̄) / σ: the integrand is smooth and vanishes at the ends of the grid."""
    X = np.array([[0.3], [1.1], [-0.4]])
    scale = {"diag": [1.3], "spherical": 1.3}.get(kind, [[1.3]])
    prior = GMMPrior(2.0, [0.2], 0.7, 4.0, scale, kind)
    s, v = np.meshgrid(np.linspace(-12, 20, 400), np.linspace(-15, 15, 400), indexing="ij")
    sigma = np.exp(s / 2)
    mean = X.mean() + v * sigma
    log_joint = norm(0.2, sigma / np.sqrt(0.7)).logpdf(mean) + invgamma(2, scale=0.65).logpdf(sigma**2)
    log_joint = log_joint + sum(norm(mean, sigma).logpdf(x) for (x,) in X)
    evidence = np.exp(log_joint + np.log(sigma**3)).sum() * (s[1, 0] - s[0, 0]) * (v[0, 1] - v[0, 0])
    covariances = np.full(covariances_shape(kind, 1, 1), 2.0)
    at = GMMParameters([1.0], [[0.5]], covariances, kind)  # the prior's density is the one integrated
    by_hand = norm(0.2, np.sqrt(2 / 0.7)).logpdf(0.5) + invgamma(2, scale=0.65).logpdf(2)
    assert prior.log_prob(at) == pytest.approx(by_hand, abs=TOLERANCE)
    assert exact_posterior(X, 1, prior).log_evidence == pytest.approx(np.log(evidence), abs=TOLERANCE)


def test_the_posterior_prints_its_numbers_in_a_line():
    shown = repr(exact_posterior([[0], [1]], 1, BMMPrior()))
    assert "means={'weights': [1], 'probs': [[0.5]]}" in shown


def test_evidence_of_two_components_equals_quadrature_over_weights_and_probs():
    """The mixture's own likelihood times the prior, integrated over π, p_1 and p_2 on Gauss-Legendre nodes."""
    X, prior = np.array([[3], [0], [4]]), BMMPrior([1.0, 2.0], 2.0, 3.0)
    nodes, node_weights = np.polynomial.legendre.leggauss(12)  # exact: the integrand is a polynomial of degree < 24
    nodes, node_weights = (nodes + 1) / 2, node_weights / 2
    pi, p, q = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    density = 2 * (1 - pi) * 12 * p * (1 - p) ** 2 * 12 * q * (1 - q) ** 2  # Dirichlet(1, 2), Beta(2, 3) twice
    for (x,) in X:
        choose = np.exp(gammaln(5) - gammaln(x + 1) - gammaln(5 - x))
        density = density * choose * (pi * p**x * (1 - p) ** (4 - x) + (1 - pi) * q**x * (1 - q) ** (4 - x))
    evidence = np.einsum("ijk,i,j,k->", density, node_weights, node_weights, node_weights)
    exact = exact_posterior(X, 2, prior, n_trials=4)
    assert np.exp(exact.log_evidence) == pytest.approx(evidence, rel=1e-12)
    mean = np.einsum("ijk,ijk,i,j,k->", pi, density, node_weights, node_weights, node_weights) / evidence
    assert exact.means["weights"][0] == pytest.approx(mean, rel=1e-12)
    assert dirichlet([1, 2]).pdf([0.3, 0.7]) == pytest.approx(2 * 0.7)  # the density above


def test_evidence_of_many_trials_has_every_binomial_coefficient():
    """Above 1,000 trials EM's E-step takes the binomial density from deviances; its base measure stays what it is."""
    X, m = np.array([[700, np.nan], [1900, 40]]), [2000, 50]
    by_hand = (
        betabinom(2000, 2, 3).logpmf(700) + betabinom(2000, 702, 1303).logpmf(1900) + betabinom(50, 2, 3).logpmf(40)
    )
    prior = BMMPrior(1.0, 2.0, 3.0)
    assert exact_posterior(X, 1, prior, n_trials=m).log_evidence == pytest.approx(by_hand, abs=1e-9)  # terms of 1e4
    assert variational(X, 1, prior, n_trials=m, random_state=0).elbo == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_predictive_density_integrates_to_one(kind):
    rng = np.random.default_rng(0)
    X, prior = rng.normal(size=(4, 1)), replace(random_gmm_prior(2, 1, rng, kind), degrees_of_freedom=3.5)
    exact = exact_posterior(X, 2, prior)
    grid, step = np.linspace(-20, 20, 400, retstep=True)  # x = sinh(grid): a t's tail beyond has e^(-3.5 x 20)
    total = (np.exp(exact.log_predictive(np.sinh(grid)[:, None])) * np.cosh(grid)).sum() * step
    assert total == pytest.approx(1, abs=1e-9)  # trapezoids on a smooth function


def test_predictive_probabilities_of_all_counts_add_up_to_one():
    exact = exact_posterior([[3, 1], [0, 2], [2, 0]], 2, BMMPrior(0.3, 0.5, 0.7), n_trials=[3, 2])
    cells = np.array(list(product(range(4), range(3))))
    assert np.exp(exact.log_predictive(cells)).sum() == pytest.approx(1, abs=1e-12)  # trials as in X
    np.testing.assert_array_equal(exact.log_predictive(cells, n_trials=[3, 2]), exact.log_predictive(cells))


def test_a_missing_count_leaves_the_evidence_of_what_was_observed():
    X, prior = np.array([[1.0, 0.0], [1.0, np.nan], [0.0, 1.0]]), BMMPrior()
    filled = [np.where(np.isnan(X), value, X) for value in (0, 1)]
    total = logsumexp([exact_posterior(each, 2, prior).log_evidence for each in filled])
    assert exact_posterior(X, 2, prior).log_evidence == pytest.approx(total, abs=TOLERANCE)


def test_twelve_samples_are_enumerated_and_components_are_alike_under_a_prior_that_treats_them_so():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(12, 2)) + 4 * (np.arange(12) % 2)[:, None]
    exact = exact_posterior(X, 3, GMMPrior.weakly_informative(X, 3))
    assert exact.n_occupied.sum() == pytest.approx(1, abs=TOLERANCE)
    assert exact.co_clustering[0, 2] > 0.5 > 0.1 > exact.co_clustering[0, 1]
    for name, value in exact.means.items():
        np.testing.assert_allclose(value, np.broadcast_to(value[0], value.shape), rtol=TOLERANCE, err_msg=name)


def test_the_order_of_concentrations_is_the_order_of_components():
    X = np.array([[0.0], [1.0], [5.0]])
    one, other = (exact_posterior(X, 2, GMMPrior(a, [0.0], 0.1, 3.0, [[1.0]])) for a in ([0.5, 4.0], [4.0, 0.5]))
    assert one.log_evidence == pytest.approx(other.log_evidence, abs=TOLERANCE)
    np.testing.assert_allclose(one.responsibilities, other.responsibilities[:, ::-1], rtol=TOLERANCE)
    np.testing.assert_allclose(one.means["means"], other.means["means"][::-1], rtol=TOLERANCE)


def test_a_posterior_mean_that_does_not_exist_is_nan():
    """ν0 = 1.5 leaves an empty component without mean variance; one component holds all three samples."""
    X, prior = np.array([[0.0], [1.0], [5.0]]), GMMPrior(1.0, [0.0], 0.1, 1.5, 1.0, "spherical")
    assert np.isnan(exact_posterior(X, 2, prior).means["covariances"]).all()
    assert np.isfinite(exact_posterior(X, 1, prior).means["covariances"]).all()
    assert np.isfinite(exact_posterior(X, 2, prior).means["means"]).all()


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_a_mean_of_means_that_does_not_exist_is_nan(kind):
    """μ_k is t with ν - p + 1 degrees of freedom, p = D = 2 for matrices and 1 for variances: ν0 = p leaves one."""
    matrices = kind in ("full", "tied")
    scale = {"full": np.eye(2), "tied": np.eye(2), "diag": np.ones(2), "spherical": 1.0}[kind]
    X = np.array([[0.0, 1.0], [1.0, 0.0], [5.0, 3.0]])
    for degrees, exists in [(2.0 if matrices else 1.0, kind == "tied"), (2.1 if matrices else 1.1, True)]:
        prior = GMMPrior(1.0, [0.0, 0.0], 0.1, degrees, scale, kind)
        assert np.isfinite(exact_posterior(X, 2, prior).means["means"]).all() == exists
        empty = conjugate_posterior(prior, np.zeros(2), np.zeros((2, 2)), np.zeros(covariances_shape(kind, 2, 2)))
        assert np.isfinite(empty.mean()["means"]).all() == (degrees > (2 if matrices else 1))


def test_bad_input_is_named():
    prior, X = GMMPrior(1.0, [0.0], 1.0, 3.0, [[1.0]]), np.zeros((3, 1))
    for arguments, message in [
        ((np.zeros((13, 1)), 2, prior), "X must have at most 12 rows .* got 13 rows and 2 components: use em.gibbs"),
        ((np.zeros((12, 1)), 5, prior), "X must .* got 12 rows and 5 components"),
        ((np.zeros((3, 2)), 2, prior), r"prior.mean must have shape \(2,\)"),
        ((np.zeros((300, 1)), 2, prior), "X must have at most 12 rows .* got 300 rows"),
        (([[np.nan]], 2, prior), r"X must have no missing cell under a GMMPrior, got NaN \(missing\) at X\[0, 0\]"),
        ((X, 0, prior), "n_components must be a whole number of at least 1, got 0"),
        ((X, 2, None), "prior must be conjugate, such as a GMMPrior, got NoneType"),
        ((X, 2, GMMPrior([1.0] * 3, [0.0], 1.0, 3.0, [[1.0]])), r"prior.concentration must .* \(2,\), got \(3,\)"),
        (([[2]], 2, BMMPrior()), "X must hold only 0 and 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            exact_posterior(*arguments)
    with pytest.raises(ValueError, match="points must have 1 columns like X, got 2"):
        exact_posterior(X, 2, prior).log_predictive([[0.0, 1.0]])


def test_label_vectors_that_do_not_fit_are_named():
    X, prior = np.zeros((3, 1)), GMMPrior(1.0, [0.0], 1.0, 3.0, [[1.0]])
    for z, message in [
        ([0, 0, 1], r"z must be integer labels from 0 to 1 of shape \(any, 3\), got shape \(3,\)"),
        ([[0, 0, 0.5]], "z must be integer labels .* of float64"),
        ([[0, 0, 2]], "z must be integer labels from 0 to 1, got labels from 0 to 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            log_joint_of_labels(X, z, 2, prior)
