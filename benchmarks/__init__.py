"""Speed, memory and calibration, measured: ``python -m benchmarks.<name>``."""
