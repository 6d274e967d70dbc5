"""Folders that can be written to, and files that are whole or not there."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path


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
def written_whole(folder: Path, stale: Iterable[str] = ()) -> Iterator[Path]:
    """Yield a hidden folder, whose files move to the folder when all of them are there; stale ones go before.

    What is JSON moves last: whoever finds it finds the others.
    """
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
        yield Path(partial)
        for name in stale:
            with suppress(OSError):
                (folder / name).unlink()
        for file in sorted(Path(partial).iterdir(), key=lambda file: file.suffix == ".json"):
            file.replace(folder / file.name)


def versions() -> dict[str, str]:
    """Return the versions of the libraries that the numbers come from."""
    return {name: version(name) for name in ("pymc", "pytensor", "nutpie", "jax", "arviz", "numpy", "scipy")}
