"""Folders that can be written to, and files that are whole or not there, also where several runs write at once.

A run writes into a hidden folder ``.partial-*`` of its own and moves the files when they are complete. While it lives
it holds the operating system's lock of that folder (flock), which ends with the process, however it ends. So a hidden
folder whose lock is free is abandoned, and the next run removes it. Files move under the lock of the target folder:
the files of one run move together.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

fcntl: Any  # Windows has none: nothing can be shown to be abandoned there, and nothing is removed
try:
    import fcntl
except ImportError:
    fcntl = None

PARTIAL = ".partial-"


class ReplacedError(OSError):
    """Another run has written its results to the folder, which count from then on."""


def check_writable(folder: str | Path) -> Path:
    """Make the folder if need be and prove that files can be written there.

    Raises
    ------
    ValueError
        If it cannot be made or written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:  # a ValueError: a null character in the name
        raise ValueError(f"out folder {folder} cannot be written to: {error}") from None
    return folder


def file_name(stem: str, suffix: str) -> str:
    """Return a file name of at most 200 bytes, whatever the stem: a separator becomes an underscore."""
    kept = os.fsencode(stem.replace("/", "_").replace("\\", "_").replace("\0", "_"))[: 200 - len(suffix)]
    return f"{kept.decode('utf-8', 'ignore')}{suffix}"


@contextmanager
def written_whole(
    folder: Path, last: str = "", stale: tuple[str, ...] = (), wanted: Callable[[], bool] | None = None
) -> Iterator[Path]:
    """Yield a hidden folder, whose files move to the folder together when all of them are there.

    Parameters
    ----------
    folder : Path
        Where they go.
    last : str
        The file that moves last, which tells that the others are there.
    stale : tuple of str
        Files of an earlier run that go before any moves.
    wanted : callable or None
        Asked just before the files move, when no other run moves any.

    Raises
    ------
    ReplacedError
        If they are not wanted any more; none moves then.
    OSError
        If a file cannot be written or moved.
    """
    _remove_abandoned(folder)
    with _partial(folder) as partial:
        yield partial
        with _locked(folder):
            if wanted is not None and not wanted():
                raise ReplacedError("another run has written its results to this folder since")
            for name in stale:
                with suppress(OSError):
                    (folder / name).unlink()
            for file in sorted(partial.iterdir(), key=lambda file: file.name == last):
                os.replace(file, folder / file.name)


def is_in_place(file: Any, path: Path) -> bool:
    """Whether an open file is the one at this path, and no other run's."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """Yield a new hidden folder, locked by this process, and remove it."""
    with ExitStack() as held:
        path = None
        while path is None or not path.exists():  # another run may remove a folder before it is locked
            path = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder))
            with suppress(FileNotFoundError):
                held.enter_context(_locked(path))
        held.callback(shutil.rmtree, path, ignore_errors=True)
        yield path


def _remove_abandoned(folder: Path) -> None:
    """Remove the hidden folders of runs that were killed: those of plain files alone whose lock is free."""
    for path in folder.glob(f"{PARTIAL}*"):
        if path.is_symlink() or not path.is_dir():
            continue
        with suppress(OSError), _locked(path, wait=False) as is_free:
            files = list(path.iterdir())
            if is_free and not any(file.is_dir() for file in files):
                for file in files:
                    file.unlink()
                path.rmdir()


@contextmanager
def _locked(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a folder; yield whether it is held, which a file system without locks never grants."""
    if fcntl is None:
        yield False
        return
    descriptor, is_held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY), False
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            is_held = True
        yield is_held
    finally:
        os.close(descriptor)


def versions() -> dict[str, str]:
    """Return the versions of the libraries that the numbers come from."""
    return {name: version(name) for name in ("pymc", "pytensor", "nutpie", "jax", "arviz", "numpy", "scipy")}
