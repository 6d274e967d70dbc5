"""Students' wrong steps, written by hand as students write them. None of them calls the catalogue."""

from importlib import import_module

from mistakes.registry import MISTAKES

__all__ = ["MISTAKES"]

for name in ("gaussian_e_steps", "gaussian_objectives", "gaussian_m_steps", "of_counts_and_levels", "k_means", "odder"):
    import_module(f"mistakes.{name}")
