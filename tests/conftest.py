"""Settings that every test shares."""

import atexit
import os
import shutil
import sys
import tempfile

# Interpret, do not compile C: on a machine with nothing cached that takes a minute for a handful of evaluations.
os.environ["PYTENSOR_FLAGS"] = f"cxx=,{os.environ.get('PYTENSOR_FLAGS', '')}".strip(",")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # arrays are small: a second thread costs more than it brings

# Where Python is told to keep no bytecode, each process that a test starts would compile PyMC and JAX again: seconds.
if sys.dont_write_bytecode and os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = tempfile.mkdtemp(prefix="bytecode-")
    sys.dont_write_bytecode = False
    atexit.register(shutil.rmtree, sys.pycache_prefix, ignore_errors=True)

import matplotlib as mpl
from hypothesis import settings

mpl.use("Agg")

settings.register_profile("suite", max_examples=25, deadline=None, derandomize=True)
settings.load_profile("suite")
