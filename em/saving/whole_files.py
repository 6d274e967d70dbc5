"""Write a file so that it is there whole or not at all, and is the same file to its readers and its owner.

The text goes to a hidden file beside its place, which then takes that place. The writer holds a lock on the hidden file
(flock), and the system lets go of the lock when the writer ends, however it ends. So a hidden file whose lock is free
was abandoned, and the next writer into the folder removes it.
"""

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TextIO

if sys.platform != "win32":
    import fcntl

PREFIX = ".mixture-twins-"
HIDDEN = re.compile(re.escape(PREFIX) + "[0-9a-f]{16}")


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write bytes, or text in UTF-8, to a file that is new, or replaces one, whole or not at all.

    Parameters
    ----------
    path : str or path
        The file. A symbolic link stays, and the file that it leads to is written. A file that is replaced keeps its
        mode and, where this process may give files away, its owner; a new one has the mode that the umask leaves.
    content : str or bytes
        What to write.

    Raises
    ------
    ValueError
        If there is something that is no regular file: a folder, a device, a pipe or a socket.
    FileNotFoundError
        If the folder is missing.
    PermissionError
        If the folder or the file must not be written to.
    OSError
        If the system refuses otherwise: a name too long, a loop of links, a full disk.

    Notes
    -----
    Where the file has other hard links, these keep what they had.

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
    old = regular_file(path)
    target = Path(os.path.realpath(path))
    try:
        if old is not None:
            os.close(os.open(target, os.O_WRONLY))  # raises where the file is write-protected
        remove_abandoned(target.parent)
        with _hidden_file(target.parent, 0o666 if old is None else 0o600) as (hidden, file):
            if isinstance(content, bytes):
                file.buffer.write(content)
            else:
                file.write(content)
            file.flush()
            if sys.platform != "win32" and old is not None:
                _give(file.fileno(), old)
            os.fsync(file.fileno())
            if sys.platform == "win32":
                file.close()  # or it could not be moved
            hidden.replace(target)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None  # not the hidden file's name


def regular_file(path: str | os.PathLike[str]) -> os.stat_result | None:
    """Return what the system knows of the file that path leads to, None if there is none.

    Raises
    ------
    ValueError
        If it is no regular file.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(found.st_mode), "a device")
        raise ValueError(f"path must be a regular file or a new name, got {os.fspath(path)!r}, which is {kind}")
    return found


def remove_abandoned(folder: Path) -> None:
    """Remove the hidden files of writers that ended before they were done; those of writers at work stay."""
    if sys.platform == "win32":
        return  # no lock tells there which are abandoned
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if HIDDEN.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):  # at work, or another user's
                    _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(descriptor)


@contextmanager
def _hidden_file(folder: Path, mode: int) -> Iterator[tuple[Path, TextIO]]:
    """Yield a new hidden file, locked and open; afterwards it is gone, unless it was moved."""
    while True:
        path = folder / f"{PREFIX}{token_hex(8)}"
        file = open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode))  # noqa: SIM115
        try:
            with file:
                if sys.platform != "win32":
                    with suppress(OSError):  # where the file system has no locks
                        fcntl.flock(file, fcntl.LOCK_EX)
                if path.exists():
                    yield path, file
                    return  # else another writer saw it before its lock, and removed it
        finally:  # after it was closed, which writes what is left, and may find the disk full
            path.unlink(missing_ok=True)


def _give(descriptor: int, old: os.stat_result) -> None:
    """Give the file the owner, the group and the mode of another, as far as this process may."""
    for owner, group in [(old.st_uid, old.st_gid), (-1, old.st_gid)]:
        with suppress(PermissionError):
            os.fchown(descriptor, owner, group)
            break
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
