"""Terms that may stand in the place of those of the Gaussian log density: forms of gaps, samples and means."""

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.gmm.coursework.density import elementwise, form, gaps, kept_diagonal, matrices
from models.validation import Array


def atoms(p: Problem) -> dict[str, Array]:
    """Return terms (n, K) that students may take for those of the density: forms of gaps, samples and means."""
    S, d = matrices(p), gaps(p)
    V, x, m = kept_diagonal(S), np.broadcast_to(p.X[:, None], d.shape), np.broadcast_to(p.theta["means"], d.shape)
    roots, inverse = elementwise(V, lambda s: np.sqrt(np.abs(s))), np.linalg.inv
    L = np.linalg.cholesky(S)
    kinds = {
        "Σ⁻¹": inverse(S),
        "Σ": S,
        "I": np.broadcast_to(np.eye(p.D), S.shape),
        "diag(Σ)⁻¹": inverse(V),
        "diag(Σ)": V,
        "diag(σ)⁻¹": inverse(roots),
        "diag(σ)": roots,
        "(Σ²)⁻¹": inverse(S @ S),
        "L⁻¹": inverse(L),
        "(L' L)⁻¹": inverse(np.swapaxes(L, 1, 2) @ L),
    }
    vectors = {"(x-μ)": d, "x": x, "μ": m, "(x+μ)": x + m, "(x-x̄)": x - p.X.mean(axis=0), "|x-μ|": np.abs(d)}
    found = {f"{v}' {kind} {v}": form(a, A) for v, a in vectors.items() for kind, A in kinds.items()}
    found |= {f"x' {kind} μ": form(x, A, m) for kind, A in kinds.items()}
    squares = list(found.items())[: len(kinds)]
    for text, change in {"√({})": np.sqrt, "log({})": np.log, "log(1 + {})": np.log1p, "({})²": np.square}.items():
        found |= {text.format(name): change(np.abs(a)) for name, a in squares}
    for kind, A in kinds.items():
        z = np.einsum("kde,nke->nkd", A, d)
        found |= {f"‖{kind} (x-μ)‖₁": np.abs(z).sum(axis=2), f"sum of {kind} (x-μ)": z.sum(axis=2)}
    sizes = {f"|{kind}|": np.abs(np.linalg.det(A)) for kind, A in kinds.items()}
    sizes |= {f"tr {kind}": np.trace(A, axis1=1, axis2=2) for kind, A in kinds.items()}
    sizes |= {
        "sum of all entries of Σ": S.sum(axis=(1, 2)),
        "Σ_11": S[:, 0, 0],
        "1": np.ones(p.K),
        "D": np.full(p.K, p.D),
    }
    for name, a in sizes.items():
        found |= {name: a + 0 * d[..., 0], f"log {name}": np.log(np.abs(a)) + 0 * d[..., 0]}
    return found
