"""``python -m comparisons.pmm``."""

from comparisons.comparison.command import run

if __name__ == "__main__":
    run("pmm")
