"""The command line of a family, such as ``python -m comparisons.gmm``.

Help and usage errors are answered at once: the modules that compare, draw and fit are imported only after that.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import typer
from rich.console import Console

from comparisons.comparison.problem import FLAGS, Problem, Settings, prepare, split
from comparisons.data import find
from comparisons.data.options import FLAGS as OF_FILES
from comparisons.declarations import Case, Dataset, Option
from comparisons.families import family_class, family_classes, family_names, family_of
from comparisons.family import Family
from comparisons.output.console import tell, tell_error, tell_read
from comparisons.output.files import check_writable, file_name
from comparisons.output.flags import paragraphs, takes
from comparisons.output.progress import Bars
from models.labels import label

DRAWS = replace(FLAGS["draws"], default=None, help="Posterior draws of each chain; default: as the case", parse=int)
MOST_MINUTES = "Longest time in minutes, judged by the pace of the first draws; default: 5"
MINUTES = replace(FLAGS["minutes"], default=None, help=MOST_MINUTES, parse=float)
FILES = "a file with a header (.csv .tsv .txt .parquet), or a folder of .parquet files"
DATA = f"A built-in name, {FILES}; column 'count' has frequencies"
FAMILY = Option("family", None, "For your own file: which mixture", choices=family_names())


def family_flags(*families: type[Family]) -> list[Option]:
    """Return the options of families as flags of a command, each name once. A flag that is not given is None."""
    flags = {}
    for family in reversed(families):
        for option in family.options:
            kind, default = (None, "") if (value := option.default) is None else (type(value), f"; default: {value}")
            is_size = option.name == family.parameters_type.cells.size_name
            help_text = f"{option.help}{', or a column with that of each row' * is_size}{default} ({family.name})"
            parse = option.parse or (_number_or_column if is_size else kind)
            flags[option.name] = replace(option, default=None, parse=parse, help=help_text)
    return list(flags.values())


def _number_or_column(text: str) -> float | str:
    """Return a number, or else the text, which names a column."""
    try:
        return int(text) if text.strip().isdecimal() else float(text)
    except ValueError:
        return text


def flags_of_any_family(*settings: str) -> list[Option]:
    """Return the flags of a command that takes data of any family, with the named settings."""
    return [FAMILY, *OF_FILES, *family_flags(*family_classes()), *(FLAGS[name] for name in settings)]


def show_table(what: str, data: str, out: Path, flags: dict[str, Any], make: Callable[..., Any], title: str) -> None:
    """Make a table from data of any family, print it and write its figure; exit code 2 for bad input.

    Parameters
    ----------
    what : str
        First part of the figure's file name; the name of the data follows.
    data, out
        The command's data, and the folder for the figure.
    flags : dict
        The values of :func:`flags_of_any_family`, by name.
    make : callable
        Makes the table from X, the family's name, and the family's options and the settings by name.
    title : str
        Second part of the figure's title, after the name of the data.
    """
    settings, options = split(flags, {name: flags[name] for name in FLAGS.keys() & flags.keys()})
    console = Console()
    with bad_input_exits(flags={"n_components": "--components: "}):
        dataset = find(data, **options)
        tell_read(console, dataset.notes)
        folder, name = check_writable(out), file_name(f"{what}-{dataset.name}", ".png")
        table = make(dataset.X, dataset.family, **dataset.options, **settings)
    console.print(repr(table), highlight=False, markup=False, emoji=False, soft_wrap=True)
    from comparisons.output.figures import write_figures

    def drawing() -> Any:
        figure = table.plot()
        figure.suptitle(label(f"{dataset.name}{title}"))
        return figure

    write_figures(folder, {name: drawing}, dpi=130)
    tell(console, f"Written to {folder / name}")


def run(family: str) -> None:
    """Run the command line of one family and exit: 0 as declared, 1 otherwise, 2 for bad input."""
    installed = sys.argv[0].startswith("mixture-twins ")
    name = sys.argv[0] if installed else f"python -m comparisons.{family}"
    application(family, start=process_time())(prog_name=name)


def application(family: str, start: float = 0.0) -> typer.Typer:
    """Return the command line of one family; ``start`` is the time that Python and this module took to load."""
    pair = family_class(family)

    def command(
        context: typer.Context, data: str, components: int | None, out: Path | None, verbose: bool, **rest: Any
    ) -> None:
        """Fit a {title} by EM and by PyMC and say, with numbers, whether they agree.

        EM gives maximum likelihood and, under the prior of the PyMC model, MAP. PyMC gives the joint density, its
        gradient, its own MAP and the posterior by NUTS. Each check is printed with its value and its tolerance;
        --verbose adds the reason for the tolerance. The verdict is [green]agree[/], [red]disagree[/],
        [yellow]inconclusive[/] (too few draws or restarts), [yellow]not identified[/] or [yellow]no maximum[/].

        Built-in data: {names}.

        The out folder receives report.html, which is one file to send, comparison.json, samples.csv with the component
        of each sample, data.png, objective.png, posterior.png, responsibilities.png and posterior.nc, which ArviZ opens
        (arviz.from_netcdf).

        Exit code: 0 if the verdict is the one that a built-in case declares (or, on your own data, any but disagree), 1
        if not, 2 for bad input.
        """
        console = Console()
        own = {name: rest[name] for name in (*FLAGS, "prior", "prior_family", "single_start") if name in rest}
        settings, options = split(rest, own)
        bars = Bars(Path(data).stem)
        bars.seconds |= {"start": start} if start else {}
        of_python = (*_flags(pair), Option("n_components", None, "", "components"))
        flags = {option.name: f"--{option.flag}: " for option in of_python if option.flag != option.name}
        with bad_input_exits(flags=flags), bars.step("imports"):
            if context.args:
                raise ValueError(f"{context.args[0]!r} has no flag before it: {_remedy(context.args[0])}")
            if not data:
                known = ", ".join(pair.datasets) or "none"
                raise ValueError(f"data must be a file of your own, --data FILE, or built in ({known}), got ''")
            dataset = find(data, pair.name, most_rows=rest["rows"], seed=rest["random_state"], **options)
            tell_read(console, dataset.notes)
            case = pair.case(data, components, dataset.options)
            problem = prepare_case(dataset, case, **settings)
            title = dataset.name if data in pair.datasets else f"{dataset.name}-{pair.name}"
            name = replace(case, data=title).name
            folder = check_writable(out if out is not None else Path("results") / name)
            from comparisons.comparison import report, steps
            from comparisons.comparison.draws import NoDrawsError
            from comparisons.comparison.fits import NoModeError
            from comparisons.comparison.size import TooLongError

        with bad_input_exits((NoModeError, NoDrawsError, TooLongError)), interrupt_keeps_draws(folder):
            comparison = steps.run(problem, bars)
        with bad_input_exits((ValueError, OSError)):
            try:
                with bars.step("files and figures"):
                    report.save(comparison, folder)
            finally:  # print the report even if its files cannot be written
                comparison.print(console, verbose=verbose)
        tell(console, f"Written to {folder}/")
        raise typer.Exit(exit_code(comparison.verdict, case if case in pair.cases else None, console))

    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    built_in = [f"--data {case.data} --components {case.n_components} --out results/" for case in pair.cases[:1]]
    shown = [*built_in, "--data mine.csv --components 3 --prior concentration=1"]
    examples = " | ".join(f"python -m comparisons.{family} {flags}" for flags in shown)
    described = paragraphs(str(command.__doc__)).format(title=pair.title, names=", ".join(pair.datasets) or "none")
    lenient = {"allow_extra_args": True}  # so that a file without its flag gets an answer that helps
    app.command(help=described, epilog=f"Examples: {examples}", context_settings=lenient)(takes(*_flags(pair))(command))
    return app


def _remedy(argument: str) -> str:
    """Return what to write in place of an argument that has no flag."""
    if Path(argument).suffix or Path(argument).exists():
        return f"write --data {argument}"
    return "a list or a name with blanks needs quotes, as in --columns 'a, b'; a file needs --data"


def _flags(family: type[Family]) -> list[Option]:
    first, kinds = family.cases[0].data if family.cases else "", family.prior_families
    of_prior = [Option("prior_family", kinds[0], f"Default prior: {', '.join(kinds)}")]
    where = "Folder for the results; default results/<data>-<K>, of your own file <data>-<family>-<K>"
    return [
        Option("data", first, DATA),
        Option("components", None, "Number of components K; default: the case's own, or 2", parse=int),
        *OF_FILES,
        *family_flags(family),
        Option("prior", "", "Changes to the default prior's numbers, e.g. 'concentration=1'"),
        *(of_prior if len(kinds) > 1 else []),
        *(FLAGS | {"draws": DRAWS, "minutes": MINUTES}).values(),
        Option("single_start", False, "Start all chains at the MAP; default: each at the best of its own restarts"),
        Option("out", None, where, parse=Path),
        Option("verbose", False, "Explain the value and the tolerance of each check, and the words of the report"),
    ]


@contextmanager
def bad_input_exits(
    kinds: tuple[type[Exception], ...] = (ValueError,), flags: dict[str, str] | None = None
) -> Iterator[None]:
    """Print a ValueError, or an error of the given kinds, as one line; then exit with code 2.

    The line begins with the flag of the argument that the error begins with, if ``flags`` has it.
    """
    try:
        yield
    except kinds as error:
        tell_error("Error", f"{(flags or {}).get(str(error).split(' ')[0], '')}{error}")
        raise typer.Exit(2) from None


@contextmanager
def interrupt_keeps_draws(folder: Path) -> Iterator[None]:
    """On Ctrl-C, write the draws made so far, and exit with code 130."""
    try:
        yield
    except (KeyboardInterrupt, RuntimeError) as interrupt:  # JAX makes the latter of an interrupt in its callbacks
        if isinstance(interrupt, RuntimeError) and "KeyboardInterrupt" not in str(interrupt):
            raise
        message, draws = "no draws to keep, nothing was written", getattr(interrupt, "draws", None)
        if draws is not None:
            from comparisons.comparison.report import save_posterior

            sizes, path = draws["posterior"].sizes, save_posterior(draws, folder)
            message = f"{sizes['chain']} chains of {sizes['draw']} draws written to {path}; nothing was checked"
        tell_error("Interrupted", message)
        raise typer.Exit(130) from None


def prepare_case(
    dataset: Dataset,
    case: Case,
    *,
    prior: str = "",
    prior_family: str = "",
    draws: int | None = None,
    minutes: float | None = None,
    **settings: Any,
) -> Problem:
    """Check the arguments of a command, and return the problem of a case.

    Parameters
    ----------
    dataset, case
        The data, and the case with number of components and options.
    prior, prior_family : str
        Changes to the default prior as ``name=value,name=value``, and the name of the default prior.
    draws : int or None
        Posterior draws of each chain; ``None`` takes the case's.
    minutes : float or None
        How long it may take; ``None`` takes the default, or no limit for a standard case.
    **settings
        See :class:`comparisons.comparison.problem.Settings`; ``single_start`` stands for ``starts="single"``.
    """
    family, K, X = family_of(dataset.family, **{**dataset.options, **case.options}), case.n_components, dataset.X
    kinds, truth = family.prior_families, dataset.truth
    if (kind := prior_family or kinds[0]) not in kinds:
        raise ValueError(f"prior-family must be one of {', '.join(kinds)}, got {prior_family!r}")
    if truth is not None and (truth.n_components != K or case.options):
        truth = None  # it has another K or structure than this mixture
    own = _changed(family.default_prior(X, K, kind), prior) if prior or kind != kinds[0] else None
    known = {name: getattr(dataset, name) for name in ("feature_names", "notes", "all_rows", "row_labels")}
    known |= {"truth": truth, "title": dataset.name, "draws": case.draws if draws is None else draws}
    known["minutes"] = (inf if case in family.cases else Settings.minutes) if minutes is None else minutes
    known["starts"] = "single" if settings.pop("single_start", False) or case.single_start else "restarts"
    return prepare(X, family, K, own, sampled=True, **known, **settings)


def exit_code(verdict: str, case: Case | None, console: Console) -> int:
    """Return exit code 0 or 1; print a line if the verdict is not the declared one."""
    if case is None:
        if verdict == "inconclusive":
            console.print("[yellow]Warning:[/] inconclusive: draws or restarts are too few to tell.")
        elif verdict not in ("agree", "disagree"):
            console.print(f"[yellow]Warning:[/] {verdict}: only identified or MAP quantities were judged.")
        return int(verdict == "disagree")
    if verdict != case.verdict:
        console.print(f"[bold red]The case declares {case.verdict!r}, the verdict is {verdict!r}.[/]")
    return int(verdict != case.verdict)


def _changed(prior: Any, changes: str) -> Any:
    """Return the prior with numbers replaced, given as ``name=value,name=value``."""
    values = {field.name: getattr(prior, field.name) for field in fields(prior)}
    names = [name for name, value in values.items() if isinstance(value, float | np.ndarray)]
    replaced: dict[str, Any] = {}
    for change in filter(None, (part.strip() for part in changes.split(","))):
        name, _, value = (part.strip() for part in change.partition("="))
        if name not in names or not value or name in replaced:
            raise ValueError(f"prior must be name=value, each name once, of {', '.join(names)}; got {change!r}")
        old = np.asarray(getattr(prior, name))
        if old.ndim == 2:
            raise ValueError(f"prior {name} is a matrix; change it from Python (comparisons.compare)")
        try:
            replaced[name] = np.full(old.shape, float(value)) if old.ndim else float(value)
        except ValueError:
            raise ValueError(f"prior {name} must be a number, got {value!r}") from None
    return replace(prior, **replaced)
