"""The built-in data sets of categorical mixtures, their standard cases and calibrations."""

from pathlib import Path
from typing import Any

import numpy as np

from comparisons.declarations import Case, Dataset
from models.cmm import CMMParameters, CMMPrior, simulate


def _hair_eye_color() -> Dataset:
    import pandas as pd

    table = pd.read_csv(Path(__file__).parent / "hair_eye_color.csv")
    answers = table.loc[table.index.repeat(table.pop("count"))].reset_index(drop=True).astype("category")
    story = "hair colour, eye colour and sex of 592 students of statistics (Snee 1974; R's HairEyeColor)"
    return Dataset("hair-eye-color", "cmm", story, answers, tuple(answers))


def _answers() -> Dataset:
    rng, levels = np.random.RandomState(14), (3, 4, 2, 3, 3)
    probs = np.hstack([rng.dirichlet(np.full(L, 0.6), size=2) for L in levels])
    truth = CMMParameters(np.array([0.6, 0.4]), probs, levels)
    X, _ = simulate(truth, 1000, random_state=15)
    names, story = tuple(f"question {d}" for d in range(1, 6)), "five questions with 2 to 4 answers each"
    return Dataset("answers", "cmm", f"{story}, 1000 persons of two kinds", X, names, truth=truth)


DATASETS = {
    "hair-eye-color": _hair_eye_color,
    "answers": _answers,
    "answers-missing": lambda: _answers().with_holes("answers-missing", 0.1, seed=16),
}
CASES = Case("hair-eye-color", 2, draws=2000), Case("answers", 2), Case("answers-missing", 2)
PRIOR = CMMPrior(np.array(4.0), np.array(1.5))
CALIBRATIONS: dict[str, dict[str, Any]] = {
    "three-items": {"prior": PRIOR, "n_samples": 100, "n_features": 3, "options": {"levels": (3, 2, 4)}}
}
