"""The command line of a family: ``python -m comparisons.gmm`` and ``python -m comparisons.bmm``."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from comparisons.comparison import prepare
from comparisons.comparison import run as run_comparison
from comparisons.comparison.cases import STANDARD, Case, standard_case
from comparisons.comparison.report import save, save_posterior, tell_left_out
from comparisons.comparison.result import Comparison
from comparisons.comparison.starts import UnfitPriorError
from comparisons.data import BUILT_IN, Dataset, find
from comparisons.family import family_of
from comparisons.output.console import tell, tell_error
from comparisons.output.files import check_writable
from comparisons.output.progress import Bars
from models.gmm.structures import CovarianceType

TITLES = {"gmm": "Gaussian mixture", "bmm": "Bernoulli or binomial mixture"}


def run(family: str) -> None:
    """Run the command line of one family and exit: 0 as declared, 1 otherwise, 2 for bad input."""
    application(family)(prog_name=f"python -m comparisons.{family}")


def application(family: str) -> typer.Typer:
    """Return the command line of one family."""
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.command(help=_help(family), epilog=_epilog(family))(_command(family))
    return app


def _help(family: str) -> str:
    names = ", ".join(dict.fromkeys(case.data for case in STANDARD[family]))
    return (
        f"Fit a {TITLES[family]} by EM and by PyMC and say, with numbers, whether they agree.\n\n"
        "EM gives maximum likelihood and, under the prior that the PyMC model takes, MAP. PyMC gives the joint "
        "density, its gradient, its own MAP and the posterior by NUTS. Each check is printed with its value, its "
        "tolerance and where that tolerance comes from. The verdict is [green]agree[/], [red]disagree[/], "
        "[yellow]not identified[/] "
        "or [yellow]no maximum[/].\n\n"
        f"Built-in data: {names}.\n\n"
        "Written to the out folder: comparison.json, data.png, objective.png, posterior.png, responsibilities.png and "
        "posterior.nc, which ArviZ opens (arviz.from_netcdf)."
    )


def _epilog(family: str) -> str:
    first = STANDARD[family][0]
    trials = " --trials 12" if family == "bmm" else ""
    return (
        "Exit code: 0 when the verdict is the one a built-in case declares (or, on your own data, anything but "
        "disagree), 1 when not, 2 for bad input.\n\n"
        f"Examples: python -m comparisons.{family} --data {first.data} --components {first.n_components} "
        f"--out results/ | python -m comparisons.{family} --data mine.csv --components 3{trials} "
        "--prior concentration=1"
    )


def _command(family: str) -> Any:
    def command(
        data: Annotated[
            str, typer.Option(help="A built-in name, or a CSV file with a header; a column 'count' holds frequencies.")
        ] = STANDARD[family][0].data,
        components: Annotated[
            int | None, typer.Option(help="Number of components K; default: the case's own, or 2.")
        ] = None,
        covariance: Annotated[
            CovarianceType, typer.Option(help="Structure of the covariances (gmm).", hidden=family == "bmm")
        ] = "full",
        prior: Annotated[
            str, typer.Option(help="Changes to the default prior's numbers, e.g. 'concentration=1,mean_precision=0.1'.")
        ] = "",
        prior_family: Annotated[
            str,
            typer.Option(
                help="Default prior (gmm): conjugate; or means independent of covariances, with half-normal or "
                "inverse-gamma scales.",
                hidden=family == "bmm",
            ),
        ] = "conjugate",
        draws: Annotated[
            int | None, typer.Option(help="Posterior draws of each chain; default: the case's own, or 1000.")
        ] = None,
        tune: Annotated[int, typer.Option(help="Warm-up draws of each chain.")] = 1000,
        chains: Annotated[int, typer.Option(help="Number of chains.")] = 4,
        target_accept: Annotated[
            float, typer.Option(help="Acceptance that NUTS adapts its steps to; 0.9 is for divergent transitions.")
        ] = 0.8,
        restarts: Annotated[int, typer.Option(help="Restarts of EM; the best one is kept.")] = 10,
        single_start: Annotated[
            bool, typer.Option("--single-start", help="Start all chains at MAP, not each at EM's best of its own.")
        ] = False,
        seed: Annotated[int, typer.Option(help="Seed of everything random; the same seed gives the same results.")] = 0,
        advi: Annotated[bool, typer.Option("--advi", help="Run ADVI too, for the table of spreads.")] = False,
        out: Annotated[
            Path | None,
            typer.Option(help="Folder for the results; default results/<data>-<K>, with the structure if not full."),
        ] = None,
        trials: Annotated[
            int, typer.Option(help="Trials per cell of your own count data (bmm).", hidden=family == "gmm")
        ] = 1,
    ) -> None:
        console = Console()
        with bad_input_exits():
            if data in BUILT_IN and (own := find(data).family) != family:
                raise ValueError(f"data {data!r} belongs to python -m comparisons.{own}")
            dataset = find(data, family, trials)
            case = standard_case(family, data, components, covariance)
            found = prepare_case(
                dataset,
                case,
                prior=prior,
                prior_family=prior_family,
                draws=draws,
                tune=tune,
                chains=chains,
                target_accept=target_accept,
                restarts=restarts,
                single_start=single_start,
                seed=seed,
                advi=advi,
            )
            folder = check_writable(
                out if out is not None else Path("results") / dataclasses.replace(case, data=dataset.name).name
            )
        with bad_input_exits(UnfitPriorError), interrupt_keeps_draws(found, folder):
            run_comparison(found, Bars(dataset.name))
        with bad_input_exits():
            save_and_print(found, folder, console)
        raise typer.Exit(exit_code(found, case if case in STANDARD[family] else None, console))

    return command


def save_and_print(found: Comparison, folder: Path, console: Console) -> None:
    """Write the results, and print the report whether they could be written or not."""
    try:
        left_out = save(found, folder)
    finally:
        found.print(console)
    tell_left_out(console, left_out)
    tell(console, f"Written to {folder}/")


@contextmanager
def bad_input_exits(kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Turn a ValueError about what was given into a sentence and exit code 2."""
    try:
        yield
    except kind as error:
        tell_error("Error", error)
        raise typer.Exit(2) from None


@contextmanager
def interrupt_keeps_draws(found: Comparison, folder: Path) -> Iterator[None]:
    """On Ctrl-C write the draws so far, and exit with code 130."""
    try:
        yield
    except KeyboardInterrupt:
        told = "no draws to keep, nothing was written"
        if found.posterior is not None:
            sizes, path = found.posterior["posterior"].sizes, save_posterior(found, folder)
            told = f"{sizes['chain']} chains of {sizes['draw']} draws written to {path}; nothing was checked"
        tell_error("Interrupted", told)
        raise typer.Exit(130) from None


def prepare_case(
    dataset: Dataset,
    case: Case,
    *,
    prior: str = "",
    prior_family: str = "conjugate",
    draws: int | None,
    tune: int,
    chains: int,
    seed: int,
    target_accept: float = 0.8,
    restarts: int = 10,
    single_start: bool = False,
    advi: bool = False,
) -> Comparison:
    """Check and prepare the comparison of a data set as its case says; gaps are judged only as it declares."""
    half, K = family_of(dataset.family, dataset.n_trials, case.covariance_type), case.n_components
    if prior_family not in half.prior_families:
        raise ValueError(f"prior-family must be one of {', '.join(half.prior_families)}, got {prior_family!r}")
    asked = bool(prior) or prior_family != half.prior_families[0]
    truth = dataset.truth
    if truth is not None and (truth.n_components != K or case.covariance_type != "full"):
        truth = None  # what the data were drawn from is no parameter of this mixture
    return prepare(
        dataset.X,
        family=dataset.family,
        n_components=K,
        prior=_changed(half.default_prior(dataset.X, K, prior_family), prior) if asked else None,
        n_trials=dataset.n_trials,
        covariance_type=case.covariance_type,
        draws=case.draws if draws is None else draws,
        tune=tune,
        chains=chains,
        target_accept=target_accept,
        n_init=restarts,
        starts="single" if single_start or case.single_start else "restarts",
        random_state=seed,
        advi=advi,
        regular=case.regular and not asked,
        truth=truth,
        title=dataset.name,
        feature_names=dataset.feature_names,
    )


def exit_code(found: Comparison, case: Case | None, console: Console) -> int:
    """Return 0 or 1, and say so where a declared verdict was missed."""
    if case is not None and found.verdict != case.verdict:
        console.print(f"[bold red]The case declares {case.verdict!r}, the verdict is {found.verdict!r}.[/]")
        return 1
    if case is None and found.verdict == "disagree":
        return 1
    if case is None and found.verdict != "agree":
        console.print(f"[yellow]Warning:[/] {found.verdict}: only identified or MAP quantities were judged.")
    return 0


def _changed(prior: Any, changes: str) -> Any:
    """Return the prior with numbers replaced as ``name=value,name=value`` says."""
    values = {field.name: getattr(prior, field.name) for field in dataclasses.fields(prior)}
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
    return dataclasses.replace(prior, **replaced)
