"""Save fitted estimators as JSON text, which can hold numbers and names but no code.

A file has its format, version, a checksum of its content, and the content: the estimator's class, its settings and its
fitted attributes. Floats are written with enough digits to restore the same float. `load` builds only the classes of
`estimators` and `values`, which are those of the families (:mod:`em.families`). The checksum detects damage; it does
not prove who wrote the file.
"""

import hashlib
import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from em import families
from em.identifiability import Identifiability
from em.kmeans import KMeans
from em.saving.whole_files import is_there, write_whole
from em.streams import StreamSettings
from em.streams.state import Stream

FORMAT = "mixture-twins model"
VERSION = 2
REFUSALS = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
DTYPES = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
DTYPES += ["bool", "float16", "float32", "float64"]


def estimators() -> dict[str, type[BaseEstimator]]:
    """Return the estimators that can be saved, by name."""
    from em.variational_mixture import VariationalMixture  # fits by EM do not need its imports

    return {**families.estimators(), "KMeans": KMeans, "VariationalMixture": VariationalMixture}


def values() -> dict[str, type]:
    """Return the classes of values that a saved estimator may hold, by name."""
    generic = Identifiability, Stream, StreamSettings
    return families.values() | {value.__name__: value for value in generic}


def save(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to a file, from which `load` returns an estimator with bitwise equal predictions.

    The attribute ``path_`` is left out.

    If writing fails, no part of the file is left (:mod:`em.saving.whole_files`). A file that is replaced keeps its
    mode; a symbolic link stays, and its target is replaced.

    Parameters
    ----------
    estimator : MixtureEM, VariationalMixture or KMeans
        The estimator, fitted.
    path : str or path
        The file; one that exists is replaced.

    Raises
    ------
    NotFittedError
        If the estimator is neither fitted nor a stream.
    ValueError
        If the estimator is of another class, or holds a value that cannot be saved, such as a ``RandomState`` as
        ``random_state``; if ``path`` is something else than a regular file.
    FileNotFoundError, PermissionError, OSError
        If the folder is missing, if it or the file is write-protected, or for another reason of the system.

    Examples
    --------
    >>> import tempfile, em
    >>> fit = em.KMeans(2, random_state=0).fit([[0.0], [1.0], [9.0], [11.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     em.save(fit, f"{folder}/clusters.json")
    ...     em.load(f"{folder}/clusters.json").inertia_
    2.5
    """
    name = type(estimator).__name__
    if (known := estimators()).get(name) is not type(estimator):
        raise ValueError(f"estimator must be one of {', '.join(known)}, got {name}")
    _check_begun(estimator)
    settings = estimator.get_params(deep=False)
    everything = vars(estimator) | (estimator._packed() if hasattr(estimator, "_packed") else {})
    fitted = {key: value for key, value in everything.items() if key not in settings and key != "path_"}
    model = {"class": name, "settings": _encode_all(name, settings), "fitted": _encode_all(name, fitted)}
    write_document(path, FORMAT, VERSION, model)


def load(path: str | os.PathLike[str]) -> Any:
    """Read an estimator that `save` wrote.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    estimator
        The saved estimator, with its settings and fitted attributes. Its arrays are read-only.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError
        If it is a folder.
    PermissionError, OSError
        If it may not be read, or for another reason of the system.
    ValueError
        If the file was not written by `save`, is damaged, of another format version, or of an unknown class; if it is a
        device, a pipe or a socket.

    Examples
    --------
    >>> import tempfile, em
    >>> X = [[1, 0], [0, 0], [1, 1]]
    >>> fit = em.BernoulliMixtureEM(1).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     em.save(fit, f"{folder}/fit.json")
    ...     em.load(f"{folder}/fit.json").score(X) == fit.score(X)
    True
    """
    if not os.path.isdir(path):  # reading a folder raises an IsADirectoryError below
        is_there(path)
    model = read_document(path, FORMAT, VERSION, "path", "em.save")
    try:
        return _build(model)
    except REFUSALS as error:
        raise ValueError(f"path must hold a model that can be built; {path} does not: {error!r}") from None


def write_document(path: str | os.PathLike[str], kind: str, version: int, content: Any) -> None:
    """Write content to a JSON file with its format ``kind``, version and checksum; a failure leaves no part of it."""
    document = {"format": kind, "version": version, "checksum": _checksum(kind, version, content), "model": content}
    write_whole(path, json.dumps(document, allow_nan=False))


def read_document(path: str | os.PathLike[str], kind: str, version: int, name: str, writer: str) -> Any:
    """Return the content that `write_document` wrote.

    Parameters
    ----------
    path : str or path
        The file.
    kind, version : str, int
        Format and version that the file must have.
    name, writer : str
        For error messages: the argument that gave the path, and the function that writes such files.

    Raises
    ------
    ValueError
        If the file has another format or version, or was changed after writing.
    """
    wanted, text = f"{name} must be a file written by {writer}", Path(path).read_bytes()
    try:
        document = json.loads(text)
        read = document if isinstance(document, dict) else {}
        checksum = _checksum(kind, version, content := read.get("model"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{wanted}; {path} is not, or not whole: {error}") from None
    if read.get("format") != kind:
        raise ValueError(f"{wanted}; {path} does not say that it is a {kind}")
    if (given := read.get("version")) != version:
        raise ValueError(
            f"{name} must be a file of format version {version}, which this installation reads; {path} is of version "
            f"{given!r}: upgrade mixture-twins, or write it again"
        )
    if read.get("checksum") != checksum:
        raise ValueError(f"{wanted}; {path} was changed since: its checksum does not fit")
    return content


def _build(model: Any) -> BaseEstimator:
    if model["class"] not in (known := estimators()):
        raise ValueError(f"its class must be one of {', '.join(known)}, got {model['class']!r}")
    estimator = known[model["class"]](**_decode_all(model["settings"]))
    settings = estimator.get_params(deep=False)
    if missing := settings.keys() - model["settings"].keys():
        raise ValueError(f"its settings must be all those of {model['class']}, got none for {', '.join(missing)}")
    for name, value in _decode_all(model["fitted"]).items():
        if name in settings or hasattr(type(estimator), name):
            raise ValueError(f"a fitted attribute must not hide {name!r} of the estimator")
        setattr(estimator, name, value)
    if hasattr(estimator, "_unpack"):
        estimator._unpack()
    _check_begun(estimator)
    return estimator


def _check_begun(estimator: BaseEstimator) -> None:
    """Raise a NotFittedError unless the estimator is fitted, or a stream that has too few rows for a fit so far."""
    if "stream_" not in vars(estimator):
        check_is_fitted(estimator)


# Values as JSON: plain values unchanged, any other as an object with one key that names its type --------------------


def _encode_all(where: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name: _encode(f"{where}.{name}", value) for name, value in values.items()}


def _encode(where: str, value: Any) -> Any:
    if value is None or type(value) in (bool, int, str) or (type(value) is float and np.isfinite(value)):
        return value
    if type(value) is float:
        return {"float": str(value)}
    if isinstance(value, np.ndarray | np.generic):
        return {"array" if isinstance(value, np.ndarray) else "scalar": _encode_array(where, np.asarray(value))}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_encode(f"{where}[{i}]", item) for i, item in enumerate(value)]}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": _encode_all(where, value)}
    if type(value) in values().values():
        parts = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        return {type(value).__name__: _encode_all(where, parts)}
    advice = "set it to None or an int" if isinstance(value, np.random.RandomState) else "it cannot be saved"
    given = type(value).__name__
    raise ValueError(f"{where} must hold numbers, strings, arrays or known values, got {given}: {advice}")


def _encode_array(where: str, array: np.ndarray) -> dict[str, Any]:
    dtype, values = array.dtype.name, array.ravel().tolist()
    if array.dtype.kind == "f":
        values = [value if np.isfinite(value) else str(value) for value in values]
    if dtype not in DTYPES and not (dtype == "object" and all(type(value) is str for value in values)):
        raise ValueError(f"{where} must be an array of dtype {', '.join(DTYPES)}, or of names, got {array.dtype}")
    return {"dtype": dtype, "shape": list(array.shape), "values": values}


def _decode_all(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _decode(value) for name, value in values.items()}


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    if kind in ("array", "scalar"):
        array = _decode_array(content)
        return array if kind == "array" else array[()]
    if kind == "float":
        return float(content)
    if kind in ("list", "tuple"):
        return {"list": list, "tuple": tuple}[kind](map(_decode, content))
    if kind != "dict" and kind not in (known := values()):
        raise ValueError(f"a value must be one of {', '.join(known)}, got {kind!r}")
    parts = {name: _decode(part) for name, part in content.items()}
    return parts if kind == "dict" else known[kind](**parts)


def _decode_array(content: dict[str, Any]) -> np.ndarray:
    if content["dtype"] not in (*DTYPES, "object"):
        raise ValueError(f"an array must be of dtype {', '.join(DTYPES)} or object, got {content['dtype']!r}")
    with np.errstate(over="ignore"):  # numbers that overflow were not written by `save`
        array = np.array(content["values"], dtype=content["dtype"]).reshape(content["shape"])
    array.flags.writeable = False
    return array


def _checksum(kind: str, version: int, content: Any) -> str:
    text = json.dumps([kind, version, content], sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
