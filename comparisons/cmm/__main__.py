"""``python -m comparisons.cmm``."""

from comparisons.comparison.command import run

if __name__ == "__main__":
    run("cmm")
