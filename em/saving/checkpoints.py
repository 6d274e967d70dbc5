"""Where a fit is, in a file, so that the same call of `fit` goes on from there after whatever ended it.

The file is an archive of arrays as NumPy writes them, the first of which is JSON text that says where each belongs. It
holds no code, and nothing of it is unpickled. It is written whole or not at all (:mod:`em.saving.whole_files`): after
an iteration, but so seldom that writing takes at most a tenth of the time, and when an error or an interrupt ends the
fit. What tells fits apart is kept beside, as hashes: settings, rows and weights.
"""

import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from em.engine.stages import Stages, State, stages_of_fit
from em.samples import Samples
from em.samples.distinct import digest
from em.saving import REFUSALS, _encode
from em.saving.whole_files import regular_file, write_whole
from models.shown import shown

FORMAT, VERSION = "mixture-twins checkpoint", 2
SELDOM = 10  # times the seconds that writing takes

type PathOf = str | os.PathLike[str]


@contextmanager
def checkpointed(path: PathOf, fit: dict[str, str]) -> Iterator[None]:
    """Let the fit inside go on from the file, if there is one, and keep in it where the fit is.

    Parameters
    ----------
    path : str or path
        The file.
    fit : dict
        What tells this fit from others, from `fingerprint`.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or that of another fit.
    """
    file = _File(path, fit)
    token = stages_of_fit.set(Stages(file.states, file.changed))
    try:
        yield
    except BaseException as error:
        if file.states:
            error.add_note(file.written_at_the_end())
        raise
    finally:
        stages_of_fit.reset(token)
    file.write()


def fingerprint(estimator: Any, samples: Samples) -> dict[str, str]:
    """Return hashes of what a fit follows from, by name: each setting, and the rows and their weights."""
    seed = estimator.random_state
    if not isinstance(seed, int | np.integer) and (seed is not None or isinstance(estimator.init, str)):
        raise ValueError(
            f"random_state must be a number with checkpoint=, got {shown(seed)}: a fit that goes on has the same starts"
        )
    settings = {"class": type(estimator).__name__, **estimator.get_params(deep=False)}
    if name := getattr(estimator, "_size_name", ""):
        sizes = np.asarray(getattr(estimator, f"{name}_", getattr(estimator, name)))  # given to fit, or a setting
        if sizes.ndim < 2 or (sizes == sizes[0]).all():  # others belong to rows
            settings[f"{name} of fit"] = sizes[0] if sizes.ndim == 2 else sizes
    beside = estimator._beside(samples) if samples.in_memory else []
    if not estimator._starts_anywhere:
        beside = [*beside, np.asarray(settings.pop("init"))[samples.numbers, None]]
    of_rows = partial(digest, beside=np.hstack(beside).astype(np.float64) if beside else None)
    hashes = {name: _hash(json.dumps(_encode(name, value), sort_keys=True)) for name, value in settings.items()}
    return {
        **hashes,
        "X and sample_weight": _hash(f"{samples.X.shape} {samples.sum_of(of_rows).tolist()}"),
        "the number of chunks": _hash(str(samples.n_parts)),
    }


class _File:
    """The file, and what is to be written to it."""

    def __init__(self, path: PathOf, fit: dict[str, str]) -> None:
        self.path, self.fit = path, fit
        self.states: list[State] = [] if regular_file(path) is None else _read(path, fit)
        self.written, self.seconds = -np.inf, 0.0

    def changed(self) -> None:
        """Write, unless that was done lately."""
        if time.monotonic() - self.written >= SELDOM * self.seconds:
            self.write()

    def written_at_the_end(self) -> str:
        """Write where the fit is when an error ends it; return a sentence about that."""
        name = os.fspath(self.path)
        try:
            self.write()
        except OSError as error:
            return f"The last whole iteration could not be written to {name}: {error}"
        return f"The last whole iteration is in {name}: the same call of fit goes on from there"

    def write(self) -> None:
        """Write where the fit is."""
        begin = time.monotonic()
        write_whole(self.path, _packed({"format": FORMAT, "version": VERSION, "fit": self.fit, "stages": self.states}))
        self.written = time.monotonic()
        self.seconds = self.written - begin


def _read(path: PathOf, fit: dict[str, str]) -> list[State]:
    try:
        content = _unpacked(Path(path).read_bytes())
        kept, stages, legible = dict(content["fit"]), content["stages"], content["version"] == VERSION
        if content["format"] != FORMAT:
            raise ValueError(f"it does not say that it is a {FORMAT}")
    except (*REFUSALS, zipfile.BadZipFile, EOFError) as error:
        wanted = "checkpoint must be a file that fit wrote, or a new name"
        raise ValueError(f"{wanted}; {os.fspath(path)} is not: {error!r}") from None
    if not legible:
        raise ValueError(f"checkpoint must be of version {VERSION}; {os.fspath(path)} is of {content['version']!r}")
    if others := sorted(name for name in kept.keys() | fit.keys() if kept.get(name) != fit.get(name)):
        raise ValueError(
            f"checkpoint must be a file of the same fit; that in {os.fspath(path)} had other values of "
            f"{', '.join(others)}: pass these again, or another file"
        )
    return list(stages)


def _packed(content: Any) -> bytes:
    """Return nested dicts and lists of arrays and plain values as an archive."""
    arrays: list[np.ndarray] = []

    def text_of(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return {"array": len(arrays)}
        if isinstance(value, dict):
            return {"dict": {name: text_of(part) for name, part in value.items()}}
        if isinstance(value, list | tuple):
            return [text_of(part) for part in value]
        return value

    text, file = np.frombuffer(json.dumps(text_of(content)).encode(), dtype=np.uint8), io.BytesIO()
    np.savez(file, allow_pickle=False, **{str(i): array for i, array in enumerate([text, *arrays])})
    return file.getvalue()


def _unpacked(packed: bytes) -> Any:
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:

        def value_of(text: Any) -> Any:
            if isinstance(text, list):
                return [value_of(part) for part in text]
            if not isinstance(text, dict):
                return text
            if "array" in text:
                return arrays[str(text["array"])]
            return {name: value_of(part) for name, part in text["dict"].items()}

        return value_of(json.loads(arrays["0"].tobytes()))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
