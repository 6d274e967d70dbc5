"""Students' whole fits, by hand; `FITS` lists (name of the mistake, "" for a right fit, options, function)."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, poisson

FITS = []


def fit(name, **options):
    """Register the function below; name is "" for a right fit."""

    def register(function):
        FITS.append((name, options, function))
        return function

    return register


def e_step(X, w, m, S):
    joint = np.column_stack([a * multivariate_normal(b, c).pdf(X) for a, b, c in zip(w, m, S, strict=True)])
    total = joint.sum(axis=1, keepdims=True)
    return joint / total, np.log(total).sum()


def m_step(X, r, centers=None):
    N = r.sum(axis=0)
    mu = r.T @ X / N[:, None]
    d = X[:, None] - (mu if centers is None else centers)
    return N / len(X), mu, np.einsum("nk,nkd,nke->kde", r, d, d) / N[:, None, None]


def start(X, K, seed):
    rng = np.random.default_rng(seed)
    return np.full(K, 1 / K), X[rng.choice(len(X), K, replace=False)], np.array([np.cov(X.T)] * K)


@fit("")
def plain_loop(X, K, max_iter=100, tol=1e-6, seed=0):
    theta, old, history = start(X, K, seed), -np.inf, []
    for _ in range(max_iter):
        r, value = e_step(X, *theta)
        history.append(value)
        theta = m_step(X, r)
        if value - old < tol:
            break
        old = value
    return (*theta, history)


@fit("")
def from_a_start(X, pi, mu, sigma, n_iter=200):
    for _ in range(n_iter):
        r, _ = e_step(X, pi, mu, sigma)
        pi, mu, sigma = m_step(X, r)
    return {"pi": pi[::-1], "mu": mu[::-1], "sigma": sigma[::-1], "loglik": e_step(X, pi, mu, sigma)[1]}


class Model:
    """A student's estimator."""

    def fit(self, X, n_components):
        theta = start(X, n_components, 1)
        for _ in range(150):
            theta = m_step(X, e_step(X, *theta)[0])
        self.weights_, self.means_, self.covariances_ = theta
        return self


FITS.append(("", {}, Model().fit))


@fit("about the old means")
def old_means(X, K, max_iter=100, seed=0):
    theta = start(X, K, seed)
    for _ in range(max_iter):
        r, _ = e_step(X, *theta)
        theta = m_step(X, r, theta[1])
    return theta


@fit("stale responsibilities")
def too_late(X, weights, means, covariances, n_iter=50):
    theta = weights, means, covariances
    r, _ = e_step(X, *theta)
    for _ in range(n_iter):
        new = m_step(X, r)
        r, _ = e_step(X, *theta)
        theta = new
    return theta


@fit("E-step only once")
def outside_of_the_loop(X, K, n_iter=50):
    theta = start(X, K, 0)
    r, _ = e_step(X, *theta)
    for _ in range(n_iter):
        theta = m_step(X, r)
    return theta


@fit("parameters never change")
def start_returned(X, pi, mu, sigma, max_iter=20):
    weights, means, covariances = pi, mu, sigma
    for _ in range(max_iter):
        r, _ = e_step(X, weights, means, covariances)
        weights, means, covariances = m_step(X, r)
    return pi, mu, sigma


@fit("hard assignment")
def hard_em(X, K):
    theta = start(X, K, 3)
    for _ in range(60):
        r, _ = e_step(X, *theta)
        theta = m_step(X, np.eye(K)[r.argmax(axis=1)])
    return theta


@fit("stops early")
def within_the_first_iterations(X, K, max_iter=100):
    theta, old = start(X, K, 0), -np.inf
    for t in range(max_iter):
        r, value = e_step(X, *theta)
        theta = m_step(X, r)
        if t > 1 and (value - old) / len(X) < 0.3:
            break
        old = value
    return theta


@fit("", family="pmm")
def cooled_to_the_end(X, K, n_iter=120):
    weights, rates = np.full(K, 1 / K), X.mean(axis=0) * np.random.default_rng(0).uniform(0.5, 1.5, (K, X.shape[1]))
    for t in range(n_iter):
        logs = np.log(weights) + poisson.logpmf(X[:, None], rates).sum(axis=2)
        r = np.exp(min(1.0, 0.3 + t / 20) * (logs - logsumexp(logs, axis=1, keepdims=True)))
        r /= r.sum(axis=1, keepdims=True)
        weights, rates = r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]
    return weights, rates


@fit("weights never change")
def weights_not_updated(X, weights, means, covariances, n_iter=100):
    for _ in range(n_iter):
        r, _ = e_step(X, weights, means, covariances)
        _, means, covariances = m_step(X, r)
    return weights, means, covariances


@fit("E-step between the updates")
def anew_each_time(X, weights, means, covariances, n_iter=100):
    for _ in range(n_iter):
        weights = m_step(X, e_step(X, weights, means, covariances)[0])[0]
        means = m_step(X, e_step(X, weights, means, covariances)[0])[1]
        covariances = m_step(X, e_step(X, weights, means, covariances)[0])[2]
    return weights, means, covariances


@fit("mean in place of the sum")
def mean_log_likelihood(X, K):
    weights, means, covariances, _ = plain_loop(X, K)
    return {"w": weights, "m": means, "S": covariances, "ll": e_step(X, weights, means, covariances)[1] / len(X)}


@fit("weights left out", family="pmm")
def rates_only(X, K, max_iter=200):
    rates, weights = np.quantile(X, [0.2, 0.8], axis=0) + 0.5, np.full(K, 1 / K)
    for _ in range(max_iter):
        logs = poisson.logpmf(X[:, None], rates).sum(axis=2)
        r = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        weights, rates = r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]
    return weights, rates


@fit("", family="bmm")
def coins(X, K, random_state, n_iter):
    p = np.random.RandomState(random_state).uniform(0.3, 0.7, size=(K, X.shape[1]))
    pi = np.ones(K) / K
    for _ in range(n_iter):
        r = pi * np.prod(p ** X[:, None] * (1 - p) ** (1 - X[:, None]), axis=2)
        r /= r.sum(axis=1, keepdims=True)
        pi, p = r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]
    return pi, p


@fit("", family="kmeans")
def lloyd(X, k, max_iter=100):
    centers = X[:k].copy()
    for _ in range(max_iter):
        z = ((X[:, None] - centers) ** 2).sum(-1).argmin(1)
        centers = np.array([X[z == j].mean(0) for j in range(k)])
    return centers, z, ((X - centers[z]) ** 2).sum()


@fit("median in place of the mean", family="kmeans")
def k_medians(X, centroids, max_iter=50):
    for _ in range(max_iter):
        z = np.linalg.norm(X[:, None] - centroids, axis=2).argmin(1)
        centroids = np.array([np.median(X[z == j], axis=0) for j in range(len(centroids))])
    return centroids


# Nested answers, restarts, tests of convergence -----------------------------------------------------------------------


@fit("")
def nested(X, K, n_iter=150):
    theta, history = start(X, K, 0), []
    for _ in range(n_iter):
        r, value = e_step(X, *theta)
        theta = m_step(X, r)
        history.append(value)
    return theta, history


@fit("")
def nested_by_name(X, K, n_iter=150):
    (weights, means, covariances), history = nested(X, K, n_iter)
    return {"params": {"weights": weights, "means": means, "covs": covariances}, "history": history}


@fit("")
def every_step_kept(X, K, n_iter=150):
    path = [start(X, K, 0)]
    for _ in range(n_iter):
        path.append(m_step(X, e_step(X, *path[-1])[0]))
    return path


@fit("", family="kmeans")
def best_of_some(X, K, n_init=4, max_iter=100):
    runs = [lloyd(X[5 * seed :], K, max_iter)[0] for seed in range(n_init)]
    return (
        min(runs, key=lambda c: ((X[:, None] - c) ** 2).sum(-1).min(1).sum()) if n_init > 1 else lloyd(X, K, max_iter)
    )


@fit("", family="kmeans")
def best_of_three(X, K, max_iter=100):
    found = []
    for seed in (0, 1, 2):
        centers = lloyd(np.roll(X, 7 * seed, axis=0), K, max_iter)[0]
        found.append((((X[:, None] - centers) ** 2).sum(-1).min(1).sum(), centers))
    return min(found, key=lambda run: run[0])[1]


@fit("", family="kmeans")
def best_of_a_generator(X, K, max_iter=100):
    def run(seed):
        centers = lloyd(np.roll(X, 7 * seed, axis=0), K, max_iter)[0]
        return (((X[:, None] - centers) ** 2).sum(-1).min(1).sum(), centers)

    return min((run(seed) for seed in (0, 1, 2)), key=lambda found: found[0])[1]


@fit("never iterates")
def wrong_sign_in_the_test(X, K, max_iter=100, tol=1e-6):
    theta, old = start(X, K, 0), -1e300
    for _ in range(max_iter):
        r, value = e_step(X, *theta)
        theta = m_step(X, r)
        if old - value < tol:
            break
        old = value
    return theta, value


@fit("stands still after the first iteration")
def always_breaks(X, K, max_iter=100, tol=1e-6):
    theta, old = start(X, K, 0), None
    for _ in range(max_iter):
        r, value = e_step(X, *theta)
        theta = m_step(X, r)
        if old is None or abs(value - old) < tol:
            break
        old = value
    return theta


@fit("parameters never change")
def returns_the_start(X, K, max_iter=50):
    theta = first = start(X, K, 0)
    for _ in range(max_iter):
        theta = m_step(X, e_step(X, *theta)[0])
    return first


@fit("component 0 never changes", family="kmeans")
def loop_from_one(X, K, max_iter=50):
    centers = X[:K].copy()
    for _ in range(max_iter):
        z = ((X[:, None] - centers) ** 2).sum(-1).argmin(1)
        for k in range(1, K):
            centers[k] = X[z == k].mean(axis=0)
    return centers


@fit("stops early", family="kmeans")
def two_iterations_by_default(X, k, max_iter=2):
    return lloyd(X, k, max_iter)[0]


@fit("components all the same")
def equal_starts(X, K, max_iter=100):
    weights, means, covariances = start(X, K, 0)
    theta = weights, np.repeat(means.mean(axis=0, keepdims=True), K, axis=0), covariances
    for _ in range(max_iter):
        theta = m_step(X, e_step(X, *theta)[0])
    return theta


@fit("no determinant")
def collapses(X, K, max_iter=300):
    weights, means, covariances = start(X, K, 0)
    for _ in range(max_iter):
        d = X[:, None] - means
        logs = np.log(weights) - 0.5 * np.einsum("nki,kij,nkj->nk", d, np.linalg.pinv(covariances), d)
        weights, means, covariances = m_step(X, np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))
    return weights, means, covariances


def to_the_end(X, K, seed=0):
    theta = start(X, K, seed)
    for _ in range(200):
        theta = m_step(X, e_step(X, *theta)[0])
    return theta


@fit("means in another order than the rest")
def sorted_means(X, K):
    weights, means, covariances = to_the_end(X, K)
    other = np.argsort(means[:, 0])[:: -1 if means[0, 0] < means[1, 0] else 1]
    return weights, means[other], covariances


@fit("fitted to data standardised")
def not_brought_back(X, K):
    return to_the_end((X - X.mean(axis=0)) / X.std(axis=0), K)


@fit("fitted to data scaled to 0 .. 1", family="kmeans")
def scaled_for_lloyd(X, K):
    return lloyd((X - X.min(axis=0)) / np.ptp(X, axis=0), K, 50)[0]


@fit("only the first 64 of 80 samples")
def a_training_set(X, K):
    return to_the_end(X[: int(0.8 * len(X))], K)


@fit("only every second of the samples")
def thinned(X, K):
    return to_the_end(X[::2], K)


def restarted(X, K, n_init, max_iter, better, m_step=m_step, first=0):
    """Return the restart that is kept; each has a seed of its own."""
    kept = None
    for seed in range(first, first + n_init):
        theta = start(X, K, seed)
        for _ in range(max_iter):
            r, value = e_step(X, *theta)
            theta = m_step(X, r)
        if kept is None or better(value, kept[0]):
            kept = value, theta
    return kept[1]


@fit("")
def best_restart(X, K, n_init=10, max_iter=100):
    return restarted(X, K, n_init, max_iter, lambda value, before: value > before)


@fit("best restart not kept")
def last_restart(X, K, n_init=10, max_iter=100):
    return restarted(X, K, n_init, max_iter, lambda value, before: True)


@fit("best restart not kept")
def worst_restart(X, K, n_init=10, max_iter=100):
    return restarted(X, K, n_init, max_iter, lambda value, before: value < before)


def tied_m_step(X, r):
    weights, means, covariances = m_step(X, r)
    return weights, means, np.array([np.tensordot(weights, covariances, 1)] * len(weights))


@fit("", covariance_type="tied")
def best_restart_of_one_covariance(X, K, n_init=10, max_iter=100):
    weights, means, S = restarted(X, K, n_init, max_iter, lambda value, before: value > before, tied_m_step, first=22)
    return weights, means, S[0]


@fit("best restart not kept", covariance_type="tied")
def last_restart_of_one_covariance(X, K, n_init=10, max_iter=100):
    weights, means, S = restarted(X, K, n_init, max_iter, lambda value, before: True, tied_m_step, first=22)
    return weights, means, S[0]  # of seeds 22 to 24, the last ends 7 nats lower where components are twice as many


@fit("stale responsibilities in the covariances")
def spread_by_old_responsibilities(X, K, n_iter=60):
    theta, old = start(X, K, 0), None
    for _ in range(n_iter):
        r, _ = e_step(X, *theta)
        old = r if old is None else old
        weights, means, _ = m_step(X, r)
        theta, old = (weights, means, m_step(X, old, means)[2]), r
    return theta


@fit("weights and covariances never change")
def means_alone(X, K, n_iter=60):
    weights, means, covariances = start(X, K, 0)
    for _ in range(n_iter):
        means = m_step(X, e_step(X, weights, means, covariances)[0])[1]
    return weights, means, covariances


@fit("Manhattan distance", family="kmeans")
def by_blocks(X, K, max_iter=100):
    centers = X[[0, 40, 80]]
    for _ in range(max_iter):
        labels = np.abs(X[:, None] - centers).sum(axis=2).argmin(axis=1)
        centers = np.array([X[labels == k].mean(axis=0) for k in range(K)])
    return centers


@fit("component 2 never changes", family="kmeans")
def one_centre_too_few(X, K, max_iter=100):
    centers = np.array(X[[0, 40, 80]])
    for _ in range(max_iter):
        labels = ((X[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        for k in range(K - 1):
            centers[k] = X[labels == k].mean(axis=0)
    return centers
