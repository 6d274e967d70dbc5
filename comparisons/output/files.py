"""Check that folders can be written to, and write files without leaving partial ones."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path


def check_writable(folder: str | Path) -> Path:
    """Check that files can be written to a folder, or to a new one of this name; nothing is left behind.

    Raises
    ------
    ValueError
        If the folder cannot be made or written to.
    """
    folder = Path(folder)
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"out folder {folder} cannot be written to: a file stands there, name another") from None
    except (OSError, ValueError) as error:  # a ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"out folder {folder} cannot be written to: {reason}") from None
    finally:
        with suppress(OSError, ValueError):
            for one in new:
                one.rmdir()
    return folder


def file_name(stem: str, suffix: str) -> str:
    """Return a file name of at most 200 bytes; path separators in the stem become underscores."""
    kept = os.fsencode(stem.replace("/", "_").replace("\\", "_").replace("\0", "_"))[: 200 - len(suffix)]
    return f"{kept.decode('utf-8', 'ignore')}{suffix}"


@contextmanager
def written_whole(folder: Path, stale: Iterable[str] = ()) -> Iterator[Path]:
    """Yield a hidden folder; at the end, remove stale files of the folder and move all new files into it.

    The folder is made if it does not exist. A JSON file is moved last, so that all other files are there if it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
        yield Path(partial)
        for name in stale:
            with suppress(OSError):
                (folder / name).unlink()
        for file in sorted(Path(partial).iterdir(), key=lambda file: file.suffix == ".json"):
            file.replace(folder / file.name)


def versions() -> dict[str, str]:
    """Return the versions of the libraries that compute the numbers."""
    return {name: version(name) for name in ("pymc", "pytensor", "nutpie", "jax", "arviz", "numpy", "scipy")}
