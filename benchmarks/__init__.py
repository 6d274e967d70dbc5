"""Speed and memory against rivals, measured in one run: ``python -m benchmarks.em``."""
