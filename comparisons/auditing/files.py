"""Read a fit from a file: one that `em.save` wrote, or a JSON object of arrays with the name of the family."""

import json
from pathlib import Path
from typing import Any

from comparisons.auditing.libraries import recognise
from em import load
from em.saving import FORMAT


def fit_of(path: Path, family: str | None = None) -> tuple[Any, str]:
    """Return the fit stored in a file, and the name of its family.

    Parameters
    ----------
    path : Path
        A file that :func:`em.save` wrote, or JSON such as ``{"family": "gmm", "weights": [...], "means": [...], ...}``.
    family : str or None
        Name of the family, if the JSON does not give it.

    Raises
    ------
    ValueError
        If the file holds no fit.
    """
    if not path.is_file():
        raise ValueError(f"model must be a file, got {path}, which is none")
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"model must be JSON, which {path} is not: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"model must hold a JSON object, got {type(document).__name__} in {path}")
    family = document.pop("family", family)
    fit = load(path) if document.get("format") == FORMAT else document
    return fit, recognise(fit, family, {}).family
