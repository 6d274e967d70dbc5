"""Isolate a student's process: by Linux namespaces where the system grants them, else by an audit hook in Python.

In namespaces (``unshare`` and ``mount`` of util-linux; by root, or by all who may make a user namespace) the process
sees Python and the packages, read-only, and an empty folder of its own in memory; no network, no other process, no
other file. It has no privileges; run by root it is a user of its own. The shell is the first process of the namespace:
no student's code can end it, and when it is killed the system ends everything in the namespace.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FIRST_USER = 2_000_000  # of which no account is likely to be
SCRIPT = r"""
root=$1 user=$2 readable=$3 hidden=$4; shift 4
mount -t tmpfs -o size=64m,mode=755 none "$root"
IFS=:
for path in $readable; do
  mkdir -p "$root$path"; mount --rbind "$path" "$root$path"; mount -o remount,bind,ro "$root$path"
done
for path in $hidden; do
  if [ -d "$root$path" ]; then mount -t tmpfs -o size=4k,mode=755 none "$root$path"; fi
done
mkdir -p "$root/proc" "$root/dev" "$root/tmp" "$root/home"; chmod 1777 "$root/tmp" "$root/home"
for device in null zero urandom; do
  touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t proc none "$root/proc" 2>/dev/null || true
chroot "$root" setpriv $user --no-new-privs --bounding-set=-all --inh-caps=-all "$@" || exit 1
exit 0
"""
NAMESPACES = "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"
NOT_ISOLATED = (
    "this system grants no namespaces (unshare): submissions are shut off by Python's audit hook only, which native "
    "code can go round. Mark work that you do not trust in a virtual machine"
)


def command(program: Sequence[str], folder: Path, hidden: Sequence[Path] = ()) -> list[str]:
    """Return the command that runs a program in isolation, or the program itself if namespaces are not granted.

    Parameters
    ----------
    program : sequence of str
        The program and its arguments.
    folder : path
        An empty folder: where the process finds its root in namespaces, else its working folder.
    hidden : sequence of path
        Folders that it must not see, even if they are within what it may read.
    """
    return _isolated(program, folder, hidden) if can_isolate() else list(program)


@cache
def can_isolate() -> bool:
    """Whether the system grants namespaces to this user."""
    tools = ("unshare", "mount", "chroot", "setpriv", "sh")
    if sys.platform != "linux" or not all(shutil.which(tool, path=PATH) for tool in tools):
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = _isolated(["true"], Path(folder), ())
        return subprocess.run(tried, env={"PATH": PATH}, capture_output=True).returncode == 0


def _isolated(program: Sequence[str], folder: Path, hidden: Sequence[Path]) -> list[str]:
    """Return the command that runs a program in namespaces of its own."""
    is_root = os.geteuid() == 0
    user_id = FIRST_USER + os.getpid()
    user = f"--reuid={user_id}:--regid={user_id}:--clear-groups" if is_root else ""
    namespaces = NAMESPACES if is_root else ("--user", "--map-root-user", *NAMESPACES)
    shell = ["sh", "-eu", "-c", SCRIPT, "sandbox", str(folder), user]
    return ["unshare", *namespaces, "--", *shell, ":".join(readable()), ":".join(map(str, hidden)), *program]


def readable() -> list[str]:
    """Return the folders that a student's process may read: Python, its libraries, this project's packages."""
    system = [path for path in ("/usr", "/lib", "/lib64", "/bin", "/etc/alternatives") if os.path.isdir(path)]
    prefixes = [sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parents[1])]
    packages = [find_spec(name).submodule_search_locations[0] for name in ("models", "em", "comparisons")]  # type: ignore[union-attr,index]
    folders: list[str] = []
    for path in map(os.path.abspath, (*system, *prefixes, *packages)):
        if not any(Path(path).is_relative_to(other) for other in folders):
            folders.append(path)
    return folders


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a student's process: one thread, no display, and nothing of the teacher's."""
    home = "/home" if can_isolate() else str(folder)
    root = str(Path(__file__).parents[3])
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
    settings = {"HOME": home, "TMPDIR": home, "MPLCONFIGDIR": home, "MPLBACKEND": "Agg", "LANG": "C.UTF-8"}
    return threads | settings | {"PATH": PATH, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}
