"""Where a fit is, in a file, so that the same call of `fit` goes on from there after whatever ended it.

The file is JSON of numbers and text, with a checksum, as that of :func:`em.save`. It holds no code. It is written
whole or not at all (:mod:`em.saving.whole_files`): after an iteration, but so seldom that writing takes at most a
tenth of the time, and when an error or an interrupt ends the fit. What tells fits apart is kept beside, as hashes:
settings, rows and weights. They depend neither on the order of rows in a chunk nor on that of chunks: in another order
a fit of chunks goes on up to rounding. The parameters of the best run, of the stage that goes on, are there too;
`parameters_of` reads them without the data.
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
ROWS, BORDERS = "X and sample_weight", "where chunks begin"  # other rows have other borders too
SELDOM = 10  # times the seconds that writing takes

type PathOf = str | os.PathLike[str]


@contextmanager
def checkpointed(path: PathOf, estimator: Any, samples: Samples) -> Iterator["_File"]:
    """Let the fit inside go on from the file, if there is one, and keep in it where the fit is.

    Parameters
    ----------
    path : str or path
        The file.
    estimator : MixtureEM
        What fits.
    samples : Samples
        The distinct samples that it fits.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or that of another fit.
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
    beside = estimator._row_keys(samples)
    if estimator._starts_from_labels:
        del settings["init"]
    of_part = partial(_of_part, beside=None if beside is None else beside.astype(np.float64))
    of_rows, of_chunks = samples.sum_of(of_part).tolist()
    hashes = {name: _hash(json.dumps(_encode(name, value), sort_keys=True)) for name, value in settings.items()}
    return {**hashes, ROWS: _hash(f"{samples.X.shape} {of_rows}"), BORDERS: _hash(f"{samples.n_parts} {of_chunks}")}


def parameters_of(path: PathOf) -> Parameters:
    """Return the parameters of the best run, of the stage that goes on, at the last whole iteration in a checkpoint.

    They can be read while the fit runs and where its data are not at hand; ``init=`` of an estimator takes them. A fit
    may have several stages, and the first may be on a part of the rows. A stage does not always begin where the one
    before it ended, so the parameters read later can be a worse fit. Those of a fit that has ended are its result.

    Parameters
    ----------
    path : str or path
        The file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no checkpoint, or rounding left no mixture of the best run.

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
        raise ValueError(
            f"path must be a checkpoint of a fit with a mixture; the best run in {os.fspath(path)} has none"
        )
    return parameters


def _builder(estimator: Any, samples: Samples) -> Callable[[Array], Parameters]:
    """Return what makes parameters in the units of X of the numbers (P,) that the loop of EM has."""
    scaled, D = estimator._in_standard_units(samples), samples.X.shape[1]
    shapes, held = estimator._shapes(estimator.n_components, D), estimator._frozen(D)
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])

    def built(x: Array) -> Parameters:
        parts = zip(shapes.items(), np.split(x, ends[:-1]), strict=True)
        parameters = scaled._in_units_of_data(
            scaled._built({name: part.reshape(shape) for (name, shape), part in parts})
        )
        return replace(parameters, **held)

    return built


def _of_part(part: Samples, beside: Array | None) -> np.ndarray:
    """Return two sums over parts: the first tells rows apart, the second also where parts begin."""
    of_rows = digest(part, beside)
    return np.concatenate([of_rows, of_rows * of_rows])


class _File:
    """The file, and what is to be written to it."""

    def __init__(self, path: PathOf, fit: dict[str, str], built: Callable[[Array], Any]) -> None:
        self.path, self.fit, self.built = path, fit, built
        self.result: Parameters | None = None
        self.states: list[State] = _read(path, fit) if is_there(path) else []
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
        content = {"fit": self.fit, "stages": self.states, "parameters": self._best()}
        write_document(self.path, FORMAT, VERSION, _encode("fit", content))
        self.written = time.monotonic()
        self.seconds = self.written - begin

    def _best(self) -> Any:
        """Return the result, or what the best run of the stage that goes on has; None where that is no mixture."""
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
    """Return what a checkpoint of this version holds."""
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
