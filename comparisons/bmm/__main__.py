"""``python -m comparisons.bmm``."""

from comparisons.comparison.command import run

if __name__ == "__main__":
    run("bmm")
