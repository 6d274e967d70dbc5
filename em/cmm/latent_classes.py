"""The usual report of a latent class model: class sizes, item-response probabilities, separation and fit.

Let n be the number of samples, f the observed and f̂ = n p̂ the expected number of a pattern of answers, R = Π_d L_d the
number of possible patterns, and p the number of free parameters. If no answer is missing::

    G² = 2 Σ f log(f / f̂),    X² = Σ (f - f̂)² / f̂  over all R patterns,    R - 1 - p degrees of freedom

With H_i the entropy of the responsibilities of sample i, and H(π) the entropy of the weights, the answers remove this
share of the uncertainty about the classes::

    entropy R² = 1 - Σ_i H_i / (n H(π)),    relative entropy = 1 - Σ_i H_i / (n log K)

References
----------
Goodman (1974), Exploratory latent structure analysis, Biometrika 61, 215-231 (G² and X²).
Ramaswamy et al. (1993), Marketing Science 12, 103-124 (relative entropy).
Vermunt & Magidson (2016), Technical guide for Latent GOLD 5.1, section 3.2 (entropy R²).
"""

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr
from scipy.stats import chi2

from em.bound import normalise
from em.chunked.predictions import sums_of
from em.cmm.estimator import CategoricalMixtureEM
from em.samples import Samples
from models.labels import plain
from models.shown import shown
from models.tables import Tabular, table_lines
from models.validation import Array


@dataclass(frozen=True, repr=False)
class LatentClasses(Tabular):
    """The usual report of a latent class model; printing it shows the tables.

    Attributes
    ----------
    sizes, modal_sizes : ndarray, shape (K,)
        Class sizes: the weights, and the shares of samples of which the class is the most probable one.
    entropy_r_squared, relative_entropy : float
        How well the answers separate the classes, from 0 to 1; NaN for a single class.
    g_squared, x_squared : float
        Likelihood-ratio and Pearson's statistic against the saturated model. NaN if an answer is missing, or if chunks
        have more than 65,535 patterns.
    degrees_of_freedom : int
        Degrees of freedom of both statistics. It is negative if the model has more parameters than there are patterns.
    p_values : tuple of float
        Probability of larger values of G² and X² under the model; NaN without degrees of freedom. The chi-squared
        approximation needs expected counts that are not small.
    table : list of dict
        One dict for each class and level of an item: "item", "level", "class", "probability", "standard_error".
    """

    sizes: Array
    modal_sizes: Array
    entropy_r_squared: float
    relative_entropy: float
    g_squared: float
    x_squared: float
    degrees_of_freedom: int
    p_values: tuple[float, float]
    table: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        """Return the sizes, the probabilities with their standard errors, and the statistics as plain text."""
        K = len(self.sizes)
        rows = [["class", "", *map(str, range(K))]]
        for name, sizes in {"size": self.sizes, "modal size": self.modal_sizes}.items():
            rows += [[name, "", *(f"{size:.4f}" for size in sizes)]]
        for start in range(0, len(self.table), K):
            cells = self.table[start : start + K]
            shown = [f"{cell['probability']:.4f} ({cell['standard_error']:.4f})" for cell in cells]
            named = [plain(cells[0][key]) for key in ("item", "level")]
            rows.append([*named, *(text.replace("(nan)", "(-)") for text in shown)])
        lines = table_lines(rows, "l" * (K + 2))
        (g, x), df = self.p_values, self.degrees_of_freedom
        lines.append(f"entropy R² {self.entropy_r_squared:.4f}, relative entropy {self.relative_entropy:.4f}")
        lines.append(f"G² {self.g_squared:.4f} (p = {g:.3g}), X² {self.x_squared:.4f} (p = {x:.3g}), {df} df")
        return "\n".join(lines)


def latent_classes(fit: CategoricalMixtureEM, X: ArrayLike, sample_weight: ArrayLike | None = None) -> LatentClasses:
    """Return class sizes, item-response probabilities with standard errors, separation and fit.

    Parameters
    ----------
    fit : CategoricalMixtureEM
        The fitted model.
    X : array_like, or a Dask array or DataFrame, shape (n, D)
        The samples that the model was fitted to. Chunks are read four times.
    sample_weight : array_like, shape (n,), or None
        How often each row occurs.

    Raises
    ------
    ValueError
        If X does not fit the model.
    TypeError
        If it is no `CategoricalMixtureEM`.

    Examples
    --------
    >>> from em import CategoricalMixtureEM
    >>> from em.cmm.latent_classes import latent_classes
    >>> X = [["a", "a", "a"], ["a", "a", "b"], ["b", "b", "b"], ["b", "b", "a"]]
    >>> fit = CategoricalMixtureEM(1).fit(X, sample_weight=[9, 3, 9, 3])
    >>> latent_classes(fit, X, sample_weight=[9, 3, 9, 3])
    class          0
    size           1.0000
    modal size     1.0000
    item 0      a  0.5000 (0.1021)
    item 0      b  0.5000 (0.1021)
    item 1      a  0.5000 (0.1021)
    item 1      b  0.5000 (0.1021)
    item 2      a  0.5000 (0.1021)
    item 2      b  0.5000 (0.1021)
    entropy R² nan, relative entropy nan
    G² 39.5500 (p = 5.36e-08), X² 36.0000 (p = 2.89e-07), 4 df
    """
    if not isinstance(fit, CategoricalMixtureEM):
        raise TypeError(f"fit must be a CategoricalMixtureEM, got {shown(fit)}")
    sums, K = sums_of(_sums, fit, X, sample_weight), fit.n_components
    mean_entropy, *modal = (sums[1:] / sums[0]).tolist()
    entropy_of_weights = float(entr(fit.weights_).sum())
    g, x = _distances(fit, fit._samples_of(X, sample_weight).distinct(hashed=True))
    df = prod(fit.parameters_.levels) - 1 - fit.n_free_parameters_
    tails = (float(chi2.sf(g, df)), float(chi2.sf(x, df))) if df > 0 else (np.nan, np.nan)
    errors = fit.uncertainty(X, sample_weight=sample_weight).standard_errors[K:].reshape(fit.probs_.shape)
    names = getattr(fit, "feature_names_in_", [f"item {d}" for d in range(len(fit.levels_))])
    cells = [(item, level) for item, own in zip(names, fit.levels_, strict=True) for level in own]
    table = [
        {"item": str(item), "level": level, "class": k, "probability": float(p), "standard_error": float(error)}
        for (item, level), probs, of_cell in zip(cells, fit.probs_.T, errors.T, strict=True)
        for k, (p, error) in enumerate(zip(probs, of_cell, strict=True))
    ]
    r_squared, relative = (1 - mean_entropy / most if most > 0 else np.nan for most in (entropy_of_weights, np.log(K)))
    return LatentClasses(fit.weights_, np.array(modal), r_squared, relative, g, x, df, tails, table)


def _sums(fit: CategoricalMixtureEM, X: ArrayLike, sample_weight: ArrayLike | None) -> Array:
    """Return n, Σ_i H_i, and for each class the number of samples of which it is the most probable one."""
    responsibilities, w = fit._normalised(X)[0], fit._counted(X, sample_weight)
    modal = np.bincount(responsibilities.argmax(axis=1), w, minlength=fit.n_components)
    return np.concatenate([[w.sum(), w @ entr(responsibilities).sum(axis=1)], modal])


def _distances(fit: CategoricalMixtureEM, patterns: Samples) -> tuple[float, float]:
    """Return G² and X²; NaN if an answer is missing or the patterns do not fit in memory."""
    if not (patterns.in_memory and patterns.complete):
        return np.nan, np.nan
    f = patterns.frequencies
    expected = patterns.total * np.exp(normalise(fit._log_joint_at(patterns, fit.parameters_))[1])
    unseen = max(patterns.total - float(expected.sum()), 0.0)  # Σ (0 - f̂)² / f̂ over patterns that do not occur
    return float(2 * (f @ np.log(f / expected))), float(((f - expected) ** 2 / expected).sum()) + unseen
