"""Settings that every test shares."""

import os

# Interpret, do not compile C: on a machine with nothing cached that takes a minute for a handful of evaluations.
os.environ["PYTENSOR_FLAGS"] = f"cxx=,{os.environ.get('PYTENSOR_FLAGS', '')}".strip(",")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # arrays are small: a second thread costs more than it brings

import matplotlib as mpl
from hypothesis import settings

mpl.use("Agg")

settings.register_profile("suite", max_examples=25, deadline=None, derandomize=True)
settings.load_profile("suite")
