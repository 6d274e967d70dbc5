"""Checkpoints: the state of a fit in a file, from which the same call of `fit` continues after an interruption.

The file is JSON of numbers and text with a checksum, like that of :func:`em.save`, and holds no code. It is written
after an iteration, but so rarely that writing takes at most a tenth of the time, and when an error or an interrupt ends
the fit. If writing fails, the last checkpoint stays (:mod:`em.saving.whole_files`).

The file holds hashes of the settings, rows and weights, which identify the fit. The hashes do not depend on the order
of rows in a chunk or on that of chunks; with chunks in another order, a fit continues up to rounding. The file also
holds the parameters of the best run of the current stage, which `parameters_of` reads without the data.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from em.engine.stages import Stages, State, stages_of_fit
from em.process.process_wide import within
from em.samples import Samples
from em.samples.distinct import digest
from em.saving import _decode, _encode, read_document, write_document
from em.saving.whole_files import is_there
from models.parameters import Parameters
from models.shown import shown
from models.validation import Array

FORMAT, VERSION = "mixture-twins checkpoint", 5
ROWS, BORDERS = "X and sample_weight", "where chunks begin"  # different rows have different borders too
SELDOM = 10  # least time between two checkpoints, in multiples of the time that writing takes

type PathOf = str | os.PathLike[str]


@contextmanager
def checkpointed(path: PathOf, estimator: Any, samples: Samples) -> Iterator["_File"]:
    """Continue the fit inside the ``with`` block from the file, if it exists, and write checkpoints to it.

    Parameters
    ----------
    path : str or path
        The file.
    estimator : MixtureEM
        The estimator that fits.
    samples : Samples
        The distinct samples of the fit.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or a checkpoint of another fit.
    """
    file = _File(path, fingerprint(estimator, samples), _builder(estimator, samples))
    with within(stages_of_fit, Stages(file.states, file.changed)):
        try:
            yield file
        except BaseException as error:
            if file.states:
                error.add_note(file.written_at_the_end())
            raise
    file.write()


def fingerprint(estimator: Any, samples: Samples) -> dict[str, str]:
    """Return hashes of all inputs of a fit, by name: each setting, the weighted rows, the borders of chunks."""
    seed = estimator.random_state
    if not isinstance(seed, int | np.integer) and (seed is not None or isinstance(estimator.init, str)):
        raise ValueError(
            f"random_state must be a number with checkpoint=, got {shown(seed)}: a fit that goes on has the same starts"
        )
    settings = {"class": type(estimator).__name__, **estimator.get_params(deep=False)}
    if name := getattr(estimator, "_size_name", ""):
        sizes = np.asarray(getattr(estimator, f"{name}_", getattr(estimator, name)))  # passed to fit, or a setting
        if sizes.ndim < 2 or (sizes == sizes[0]).all():  # sizes that differ between rows are hashed with the rows
            settings[f"{name} of fit"] = sizes[0] if sizes.ndim == 2 else sizes
    beside = estimator._row_keys(samples)
    if estimator._starts_from_labels:
        del settings["init"]
    of_part = partial(_of_part, beside=None if beside is None else beside.astype(np.float64))
    of_rows, of_chunks = samples.sum_of(of_part).tolist()
    hashes = {name: _hash(json.dumps(_encode(name, value), sort_keys=True)) for name, value in settings.items()}
    return {**hashes, ROWS: _hash(f"{samples.X.shape} {of_rows}"), BORDERS: _hash(f"{samples.n_parts} {of_chunks}")}


def parameters_of(path: PathOf) -> Parameters:
    """Return the parameters of the best run of the current stage, at the last iteration in a checkpoint.

    They can be read while the fit runs and without its data, and passed to an estimator as ``init``. If the fit has
    ended, they are its result.

    Parameters
    ----------
    path : str or path
        The file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no checkpoint, or if a covariance of the best run is singular up to rounding.

    Notes
    -----
    A fit may have several stages, and the first may use a part of the rows. A stage does not always begin at the
    result of the one before, so parameters that are read later can have a lower objective.

    Examples
    --------
    >>> import tempfile
    >>> from em import GaussianMixtureEM
    >>> from em.saving.checkpoints import parameters_of
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fit = GaussianMixtureEM(random_state=0).fit([[0.0], [2.0]], checkpoint=f"{folder}/fit.checkpoint")
    ...     parameters_of(f"{folder}/fit.checkpoint").means
    array([[1.]])
    """
    parameters: Parameters = _content(path)["parameters"]
    if parameters is None:
        raise ValueError(f"path must be a checkpoint of a mixture's fit; the best run in {os.fspath(path)} has none")
    return parameters


def _builder(estimator: Any, samples: Samples) -> Callable[[Array], Parameters]:
    """Return a function that makes parameters in the units of X from the numbers (P,) of a run in the EM loop."""
    standard, D = estimator._in_standard_units(samples), samples.X.shape[1]
    shapes, frozen = estimator._shapes(estimator.n_components, D), estimator._frozen(D)
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])

    def built(x: Array) -> Parameters:
        parts = zip(shapes.items(), np.split(x, ends[:-1]), strict=True)
        arrays = {name: part.reshape(shape) for (name, shape), part in parts}
        return replace(standard._in_units_of_data(standard._built(arrays)), **frozen)

    return built


def _of_part(part: Samples, beside: Array | None) -> np.ndarray:
    """Return two hashes that add up over parts: the first identifies the rows, the second also the borders of parts."""
    of_rows = digest(part, beside)
    return np.concatenate([of_rows, of_rows * of_rows])


class _File:
    """The checkpoint file, and the state to write to it."""

    def __init__(self, path: PathOf, fit: dict[str, str], built: Callable[[Array], Any]) -> None:
        self.path, self.fit, self.built = path, fit, built
        self.result: Parameters | None = None
        self.states: list[State] = _read(path, fit) if is_there(path) else []
        self.written, self.seconds = -np.inf, 0.0

    def changed(self) -> None:
        """Write a checkpoint, unless the last one is recent."""
        if time.monotonic() - self.written >= SELDOM * self.seconds:
            self.write()

    def written_at_the_end(self) -> str:
        """Write a checkpoint when an error ends the fit, and return a sentence about it."""
        name = os.fspath(self.path)
        try:
            self.write()
        except OSError as error:
            return f"The last whole iteration could not be written to {name}: {error}"
        return f"The last whole iteration is in {name}: the same call of fit goes on from there"

    def write(self) -> None:
        """Write a checkpoint."""
        begin = time.monotonic()
        content = {"fit": self.fit, "stages": self.states, "parameters": self._best()}
        write_document(self.path, FORMAT, VERSION, _encode("fit", content))
        self.written = time.monotonic()
        self.seconds = self.written - begin

    def _best(self) -> Any:
        """Return the result, or the parameters of the best run of the current stage; None if they are no mixture."""
        if self.result is not None:
            return self.result
        last = self.states[-1] if self.states else {"ended": []}
        runs = [(not run["collapsed"], run["objective"], run["x"]) for run in last["ended"] if run]
        if "" in last:
            best = last["history"][-1][last[""]["ids"]]
            runs += [(True, *pair) for pair in zip(best, last["at"]["x"], strict=True)]
        try:
            return self.built(max(runs, key=lambda run: run[:2])[-1]) if runs else None
        except ValueError:
            return None


def _content(path: PathOf) -> dict[str, Any]:
    """Return the content of a checkpoint of this version."""
    return dict(_decode(read_document(path, FORMAT, VERSION, "checkpoint", "fit of this version, or a new name")))


def _read(path: PathOf, fit: dict[str, str]) -> list[State]:
    content = _content(path)
    kept, stages = content["fit"], content["stages"]
    others = sorted(name for name in kept.keys() | fit.keys() if kept.get(name) != fit.get(name))
    if ROWS in others:
        others = [name for name in others if name != BORDERS]
    if others:
        raise ValueError(
            f"checkpoint must be a file of the same fit; that in {os.fspath(path)} had other values of "
            f"{', '.join(others)}: pass these again, or another file"
        )
    return list(stages)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
