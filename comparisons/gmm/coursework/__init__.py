"""The Gaussian mixture's formulas for coursework: density, M-step by structure, and the inputs to try them on."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, override

import numpy as np

from comparisons.coursework.formulas.catalogue import Catalogue
from comparisons.coursework.formulas.conventions import Convention
from comparisons.coursework.formulas.estimates import after_of, ratio, weights_formula
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.unlisted.sums import scaled_by_counts
from comparisons.gmm.coursework import density, priors
from comparisons.gmm.coursework.covariances import ADDITIONS, covariances_formula
from models.gmm import GMMPrior
from models.gmm.structures import covariances_shape
from models.validation import Array

TEXTS_OF_COVARIANCES = {
    "full": "Σ_k = Σ_i r_ik (x_i - μ_k)(x_i - μ_k)' / N_k, about the new μ_k",
    "tied": "Σ = Σ_k Σ_i r_ik (x_i - μ_k)(x_i - μ_k)' / n, about the new μ_k",
    "diag": "σ²_kd = Σ_i r_ik (x_id - μ_kd)² / N_k, about the new μ_k",
    "spherical": "σ²_k = Σ_i r_ik ‖x_i - μ_k‖² / (D N_k), about the new μ_k",
}
CATALOGUE = Catalogue(__file__.replace("__init__.py", "means.py"))
VALUES = CATALOGUE.slot("samples", lambda p: p.X)
AFTER_MEANS = after_of("means", CATALOGUE.rows("after means", ["a"]))


def _inverse(matrices: bool, a: Array, p: Problem) -> Array:
    return np.asarray(np.linalg.inv(a)) if matrices else 1 / a


def _expanded(a: Array, p: Problem) -> Array:
    return density.matrices(p.changed(covariances=np.asarray(a)))


def _contracted(structure: str, a: Array, p: Problem) -> Array:
    """Return declared covariances of matrices (K, D, D) that have the structure, or raise a ValueError."""
    if a.shape != (p.K, p.D, p.D):
        raise ValueError("no matrices")
    if structure == "tied":
        same, declared = np.allclose(a, a[0]), a[0]
    else:
        same, declared = np.allclose(a, density.kept_diagonal(a)), density.diagonals(a)
        if structure == "spherical":
            same, declared = same and np.allclose(declared, declared[:, :1]), declared[:, 0]
    if not same:
        raise ValueError("matrices without the structure")
    return np.asarray(declared)


class Gaussian(Textbook):
    """Full, tied, diagonal and spherical covariances."""

    spellings: ClassVar = {
        "means": "means mean mu mus m mu_k mu_ks centers centres centroids locations loc locs c mean_vectors mu_list",
        "covariances": "covariances covariance cov covs cova sigma sigmas sigma_k s c sig covars covar variances "
        "variance var vars sigma2 sigma_sq sigma_squared s2 sigma2s stds std sds sd precisions precision prec precs "
        "lambda lam inv_cov inv_covs cov_inv chol chols cholesky l cov_matrices cov_mats cov_list standard_deviations "
        "scales scale covariance_matrices covs_k",
        "weights": "p ps lam",
    }
    sections: ClassVar = {"e": "E-step", "m": "M-step", "log_likelihood": "The model", "q": "The lower bound"}
    density_slots = density.CONSTANT, density.DETERMINANT, density.SQUARE
    swaps, densities = density.SWAPS, density.DENSITIES
    intermediates, sums = density.INTERMEDIATES, density.SUMS
    n_samples = 9, 10
    quantities = "weights", "means", "covariances"

    @property
    def formulas_know_priors(self) -> bool:  # type: ignore[override]
        """Whether the prior is the conjugate one."""
        return isinstance(self.prior, GMMPrior)

    @property
    def structure(self) -> str:
        """Of the covariances."""
        return str(self.family.of_mixture["covariance_type"])

    @property
    def shared(self) -> tuple[str, ...]:  # type: ignore[override]
        """Quantities that all components share."""
        return ("covariances",) if self.structure == "tied" else ()

    @property
    @override
    def title(self) -> str:
        return "the Gaussian mixture" + ("" if self.structure == "full" else f" ({self.structure} covariances)")

    @property
    @override
    def conventions(self) -> tuple[Convention, ...]:  # type: ignore[override]
        matrices = self.structure in ("full", "tied")
        inverse = partial(_inverse, matrices)
        found = [Convention("precisions", "covariances", inverse, inverse, ("prec", "inv", "lambda", "tau"))]
        root: Any = lambda a, p: np.linalg.cholesky(a)  # noqa: E731
        product: Any = lambda a, p: a @ np.swapaxes(a, -1, -2)  # noqa: E731
        if matrices:
            found.append(Convention("Cholesky factors", "covariances", root, product, ("chol",)))
        words = ("std", "sds", "standard_dev", "stdev")
        maybe = ("sigma", "sigmas", "sd", "s", "scale", "scales", "sig")
        decode: Any = lambda a, p: np.square(a)  # noqa: E731
        found.append(
            Convention("standard deviations", "covariances", lambda a, p: np.sqrt(a), decode, words, maybe=maybe)
        )
        if self.structure != "full":
            full = Convention(
                "full matrices", "covariances", _expanded, partial(_contracted, self.structure), free=True
            )
            found.append(full)
        return tuple(found)

    @override
    def problem(self, name: str, X: Array, theta: Any, r: Array) -> Problem:
        given = {**self.family.of_data, "covariance_type": self.structure}
        return Problem(name, X, theta, r, given, self.prior)

    @override
    def shape(self) -> tuple[int | None, int | None]:
        return super().shape()[0], None if self.prior is None else len(self.prior.mean)

    @override
    def draw(self, rng: np.random.RandomState, n: int, K: int, D: int, *, plain: bool = False) -> Problem:
        scales = np.exp(rng.uniform(-0.4, 0.7, size=(K, D)))
        roots = np.tril(rng.uniform(0.3, 0.9, size=(K, D, D)) * rng.choice([-1, 1], size=(K, D, D)), -1)
        roots = (roots + np.eye(D)) * scales[:, :, None]
        matrices = roots @ np.swapaxes(roots, 1, 2)
        means = rng.normal(0.5, 1.5, size=(K, D))
        if plain:
            matrices, means = np.round(matrices, 1) + 0.2 * np.eye(D), np.round(means) + 0.0
        theta = {
            "weights": self.draw_weights(rng, K, plain),
            "means": means,
            "covariances": self._declared(matrices),
        }
        X = means[rng.randint(K, size=n)] + rng.normal(size=(n, D)) * 1.2
        X = np.round(X, 1) if plain else X
        return self.problem("", X, theta, self.draw_responsibilities(rng, n, K, plain))

    def _declared(self, matrices: Array) -> Array:
        """Return what the structure declares of some matrices."""
        variances = density.diagonals(matrices)
        declared = {"full": matrices, "tied": matrices[0], "diag": variances, "spherical": variances.mean(axis=1)}
        return declared[self.structure]

    @override
    def problems(self, step: str) -> list[Problem]:
        problems = super().problems(step)
        small = problems[0]  # the same in small units, where a ridge shows
        theta = {"means": small.theta["means"] / 100, "covariances": small.theta["covariances"] / 1e4}
        problems.insert(2, small.changed(name="data in small units", X=small.X / 100, **theta))
        return problems

    @override
    def fit_problem(self) -> Problem:
        problem = self.draw(np.random.RandomState(1), 80, 2, 3)  # K and D differ, so that their powers do
        rng = np.random.RandomState(2)
        means, z = np.array([[0.0, 0.0, 0.0], [3.0, 2.0, 1.0]]), rng.uniform(size=80) < 0.35
        X = means[z.astype(int)] + rng.normal(size=(80, 3)) * np.where(z, 0.8, 1.1)[:, None]
        X[:, 1] += 0.4 * X[:, 0]
        start = {"weights": np.array([0.55, 0.45]), "means": np.array([[0.5, 0.8, 0.2], [2.2, 2.0, 1.1]])}
        covariances = self._declared(np.array([np.eye(3), 1.5 * np.eye(3)]))
        return problem.changed(X=X, **start, covariances=covariances)

    @override
    def in_units(self, theta: Mapping[str, Array], shift: Array, scale: Array) -> dict[str, Array]:
        squares = np.outer(scale, scale) if self.structure in ("full", "tied") else scale**2
        squares = squares if self.structure != "spherical" else squares.mean(keepdims=True)
        return {"means": (theta["means"] - shift) / scale, "covariances": theta["covariances"] / squares}

    @override
    def variances(self, problem: Problem) -> Array:
        return density.diagonals(density.matrices(problem))

    @override
    def far_problems(self) -> list[Problem]:
        K, D = self.shape()
        problem = self.draw(np.random.RandomState(5), 4, K or 3, D or 2)
        return [problem.changed(name="60 standard deviations away", X=problem.X + 120.0)]

    @override
    def without_feature_axis(self, problem: Problem) -> dict[str, Array]:
        covariances = problem.theta["covariances"]
        shape = covariances_shape(self.structure, problem.K, 1)[:1] if self.structure != "tied" else ()
        one = {"means": problem.theta["means"][:, 0], "covariances": covariances.reshape(shape)}
        return {"X": problem.X[:, 0], "weights": problem.theta["weights"], **one}

    @override
    def combine_density(self, problem: Problem, values: Any) -> Array:
        return density.combined(problem, values)

    @override
    def cells(self, problem: Problem) -> Array:
        if self.structure in ("full", "tied"):  # features depend on each other: a sample is one cell
            return self.log_density_of(problem)[:, :, None]
        variances = density.diagonals(density.matrices(problem))
        return np.asarray(-(density.gaps(problem) ** 2 / variances + np.log(2 * np.pi * variances)) / 2)

    @override
    def additions(self, quantity: str, problem: Problem) -> dict[str, Array]:
        if quantity != "covariances":
            return super().additions(quantity, problem)
        arrays = {name: np.asarray(formula(problem)) for name, formula in ADDITIONS.items()}
        if self.structure == "tied":
            return {
                **{f"Σ_k N_k/n {name}": self._summed(a, problem) for name, a in arrays.items()},
                **{f"the mean over k of {name}": a.mean(axis=0) for name, a in arrays.items()},
                **{f"Σ_k 1/n {name}": a.sum(axis=0) / problem.n for name, a in arrays.items()},
            }
        return {name: self._summed(a, problem) for name, a in scaled_by_counts(arrays, problem.r.sum(axis=0)).items()}

    def _summed(self, matrices: Array, problem: Problem) -> Array:
        """Return what is added to the declared covariances where matrices are added to those of the components."""
        if self.structure == "tied":
            return np.asarray(np.einsum("k,kde->de", problem.r.mean(axis=0), matrices))
        variances = density.diagonals(matrices)
        declared = {"full": matrices, "diag": variances, "spherical": variances.mean(axis=1)}
        return declared[self.structure]

    @override
    def estimates(self) -> tuple[Formula, ...]:
        conjugate = self.formulas_know_priors
        means_text, text = priors.TEXTS_OF_MAP[self.structure] if conjugate else ("μ_k = Σ_i r_ik x_i / N_k", "")
        pseudo = (priors.SHRUNK, priors.COUNTED) if conjugate else ()
        means = ratio("means", means_text, VALUES, lambda p: np.ones((p.n, 1)), AFTER_MEANS, pseudo)
        slots = priors.slots_of(self.structure) if conjugate else ()
        covariances = covariances_formula(self.structure, text or TEXTS_OF_COVARIANCES[self.structure], slots)
        return weights_formula(self.prior is not None), means, covariances

    @override
    def other_shapes(self, quantity: str, problem: Problem) -> Sequence[tuple[int, ...]]:
        full = [(problem.K, problem.D, problem.D)] if self.structure != "full" else []
        return full if quantity == "covariances" else super().other_shapes(quantity, problem)


TEXTBOOK = Gaussian
