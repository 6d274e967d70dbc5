"""``python -m comparisons.gmm``."""

from comparisons.comparison.command import run

if __name__ == "__main__":
    run("gmm")
