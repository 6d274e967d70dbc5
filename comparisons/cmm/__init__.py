"""The pair of the categorical mixture (latent classes). Command line: ``python -m comparisons.cmm``."""

from collections.abc import Sequence
from typing import Any, Self, override

import numpy as np

from comparisons.cmm.data import CALIBRATIONS, CASES, DATASETS
from comparisons.declarations import Option
from comparisons.independent import IndependentFamily
from models.cmm import CMMPrior
from models.cmm.levels import codes_of, levels_of
from models.cmm.parameters import labels_of_cells
from models.parameters import Labels
from models.supports import Simplex
from models.validation import Array


def parse_levels(text: str) -> tuple[int, ...]:
    """Return numbers of levels from text such as ``4,4,2``."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"levels must be whole numbers such as 4,4,2, got {text!r}") from None


class CMM(IndependentFamily):
    """Categorical mixture: latent class analysis with any number of levels for each item."""

    name, title = "cmm", "Categorical mixture (latent classes)"
    estimator_name, prior_types = "CategoricalMixtureEM", (CMMPrior,)
    quantity_label, categorical = "item-response probability", True
    options = (Option("levels", None, "Numbers of levels, such as 4,4,2; default: the data's own", parse=parse_levels),)
    datasets, cases, calibrations = DATASETS, CASES, CALIBRATIONS
    levels: Any
    words: Sequence[Sequence[Any]] = ()  # names of the levels in the samples

    @property
    @override
    def steps(self) -> Any:
        from em.cmm import CategoricalSteps

        return CategoricalSteps(tuple(self.levels or ()))

    @property
    @override
    def of_conjugate(self) -> dict[str, Any]:
        return self.of_mixture

    @override
    def of_samples(self, X: Any, names: Sequence[str] | None = None) -> tuple[Self, Array]:
        labels = levels_of(X, self.levels, names)
        pair = type(self)(levels=tuple(map(len, labels)))
        pair.words = labels
        return pair, codes_of(X, labels, names)

    @override
    def frame(self, X: Array, names: Sequence[str] | None) -> Any:
        import pandas as pd

        own = self.words or [tuple(range(L)) for L in self.levels]
        if names is None and all(list(labels) == list(range(len(labels))) for labels in own):
            return X
        codes = np.where(np.isnan(X), -1, X).astype(int).T
        columns = (pd.Categorical.from_codes(x, list(labels)) for x, labels in zip(codes, own, strict=True))
        frame = pd.DataFrame(dict(zip(names or range(len(own)), columns, strict=True)))
        return frame.to_numpy() if names is None else frame

    @override
    def named_estimator(self, **settings: Any) -> Any:
        from em import CategoricalMixtureEM

        return CategoricalMixtureEM(levels=self.words or self.levels, **settings)

    @override
    def response_is_mean(self, parameters: Any) -> bool:
        return True

    @override
    def prior_on_response(self, prior: Any, X: Array) -> tuple[float, Array]:
        """Return the largest sum B of an item's pseudo-counts b, and the prior's mean b / B of each level."""
        b = np.broadcast_to(prior.pseudo_counts, sum(self.levels))
        B = Simplex(self.levels).totals(b)
        return float(B.max()), b / B

    @override
    def draw_parameters(self, prior: Any, n_components: int, n_features: int, rng: np.random.RandomState) -> Any:
        return self.model.draw_parameters(prior, n_components, self.levels, rng)

    @override
    def labels(self, feature_names: Sequence[str] | None) -> Labels:
        return labels_of_cells(feature_names, self.words or map(range, self.levels))


FAMILY = CMM
