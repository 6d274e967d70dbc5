"""The posterior against its rivals: ``python -m benchmarks.posterior``."""
