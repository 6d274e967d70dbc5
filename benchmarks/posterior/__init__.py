"""Compare posterior sampling with its rivals: ``python -m benchmarks.posterior``."""
