"""The installed command: ``mixture-twins gmm mine.csv`` runs ``python -m comparisons.gmm --data mine.csv``."""

import runpy
import sys

from comparisons.data.options import did_you_mean
from comparisons.families import family_class, family_names

NAME = "mixture-twins"
OTHERS = {
    "components": "compare numbers of components: BIC, ICL, leave-one-out, evidence",
    "concentration": "what the Dirichlet concentration does to the posterior",
    "calibration": "simulation-based calibration of every model and sampler",
    "auditing": "audit a fit in a file: is it a maximum, are its numbers right",
    "coursework": "release assignments, mark submissions, check a script",
    "cases": "every standard case, one line and one verdict each",
}
WITHOUT_DATA = "calibration", "cases", "coursework"


def main() -> None:
    """Run a command by its name; its first argument may be the data. Exit with code 2 if the name is unknown."""
    given = sys.argv[1:]
    if not given or given[0] in ("-h", "--help"):
        print(usage())
        return
    name, *rest = given
    names = (*family_names(), *OTHERS)
    if name not in names:
        meant = did_you_mean(name, names)
        print(f"Error: command must be one of {', '.join(names)}, got {name!r}{meant}", file=sys.stderr)
        sys.exit(2)
    if rest and not rest[0].startswith("-") and name not in WITHOUT_DATA:
        rest = ["--data", *rest]
    sys.argv = [f"{NAME} {name}", *rest]
    runpy.run_module("comparisons" if name == "cases" else f"comparisons.{name}", run_name="__main__")


def usage() -> str:
    """Return the names of all commands with their descriptions."""
    families = {name: f"{family_class(name).title}: EM beside PyMC, with a verdict" for name in family_names()}
    rows = [f"  {name:14s} {what}" for name, what in (families | OTHERS).items()]
    head = f"Usage: {NAME} COMMAND [DATA] [OPTIONS], such as {NAME} gmm mine.csv --components 3"
    foot = f"{NAME} COMMAND --help tells the options. DATA is a file or a built-in name."
    return "\n".join([head, "", *rows, "", foot])
