"""Settings that every test shares."""

import matplotlib as mpl
from hypothesis import settings

mpl.use("Agg")

settings.register_profile("suite", max_examples=25, deadline=None, derandomize=True)
settings.load_profile("suite")
