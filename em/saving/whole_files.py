"""Write a file completely or not at all: write a hidden file beside it first, then rename that."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from models.shown import shown


def write_whole(path: str | os.PathLike[str], content: str | bytes | None) -> None:
    """Write bytes, or text in UTF-8, to a new file or in place of an old one, completely or not at all.

    Parameters
    ----------
    path : str or path
        The file. A symbolic link stays, and its target is written. A file that is replaced keeps its mode; a new file
        gets the mode that the umask allows.
    content : str, bytes or None
        The content. None writes nothing, but raises the same errors; call it before work whose result the file gets.

    Raises
    ------
    ValueError
        If ``path`` is a folder, a device, a pipe or a socket.
    TypeError
        If ``path`` is neither text nor a path.
    FileNotFoundError
        If the folder is missing.
    PermissionError
        If the folder or the file is write-protected.
    OSError
        For another reason of the system: the name is too long, links form a loop, the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from em.saving.whole_files import write_whole
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/note.txt", "whole")
    ...     Path(folder, "note.txt").read_text()
    'whole'
    """
    replaces, target = is_there(path), Path(os.path.realpath(path))
    hidden = target.with_name(f".mixture-twins-{token_hex(8)}")
    try:
        if replaces:
            target.open("ab").close()  # raises where the file is write-protected
        with hidden.open("xb") as file:
            if content is None:
                return
            if replaces:
                shutil.copymode(target, hidden)
            file.write(content if isinstance(content, bytes) else content.encode())
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(target)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None  # not the name of the hidden file
    finally:
        with suppress(OSError):
            hidden.unlink()


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether the path is a file; raise a ValueError if it is a folder, a device, a pipe or a socket.

    What is no path, such as samples that are passed in its place, is a TypeError.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be the name of a file, as text or as a path, got {shown(path)}")
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    if not os.path.isfile(path):
        raise ValueError(f"path must be a regular file or a new name, got {os.fspath(path)!r}")
    return True
