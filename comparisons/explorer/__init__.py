"""Step EM by hand, on the page ``notebooks/explorer.py``: a state, its figures and its tables.

:class:`ByHand` keeps parameters θ and responsibilities q separately, as EM's proof does (:mod:`em.bound`)::

    log p(X | θ) = Q(θ, q) + H(q) + Σ_i KL(q_i || p(z_i | x_i, θ))

The E-step changes q only, and closes the gap KL. The M-step changes θ only; it raises Q, and opens the gap again. Each
step calls a public function of the library. :mod:`comparisons.explorer.pictures` draws the state,
:mod:`comparisons.explorer.tables` lists its numbers, :mod:`comparisons.explorer.words` explains the steps.

The page: ``marimo run notebooks/explorer.py``, in the dependency group ``explorer``.
"""

from comparisons.explorer.controls import choices, on_move, on_press, on_reset, side_by_side, sliders_of, structures
from comparisons.explorer.pictures import as_address, bound_figure, data_figure, has_pairs
from comparisons.explorer.steps import ByHand, Record, by_hand
from comparisons.explorer.tables import as_markdown, bayes_rule, decomposition, parameter_rows, sample_rows
from comparisons.explorer.words import equation, family_formulas, words_of

__all__ = ["ByHand", "Record", "as_address", "as_markdown", "bayes_rule", "bound_figure", "by_hand", "choices"]
__all__ += ["data_figure", "decomposition", "equation", "family_formulas", "has_pairs", "on_move", "on_press"]
__all__ += ["on_reset", "parameter_rows", "sample_rows", "side_by_side", "sliders_of", "structures", "words_of"]
