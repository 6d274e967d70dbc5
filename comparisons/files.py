"""Folders that can be written to, and files that are whole or not there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    except OSError as error:
        raise ValueError(f"out folder {folder} cannot be written to: {error}") from None
    return folder


@contextmanager
def written_whole(folder: Path, last: str = "", stale: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield a hidden folder, whose files move to the folder one by one when all of them are there.

    Parameters
    ----------
    folder : Path
        Where they go.
    last : str
        The file that moves last, which tells that the others are there.
    stale : tuple of str
        Files of an earlier run that go before any moves.
    """
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
        yield Path(partial)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
        for file in sorted(Path(partial).iterdir(), key=lambda file: file.name == last):
            os.replace(file, folder / file.name)
