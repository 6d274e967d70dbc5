"""Estimate the size of a comparison before it draws: parameters, rows, smaller mixtures, and the time of the draws.

NUTS needs the information matrix at a mode, p x p for p parameters, and its draws take longer the fewer rows there are
for each parameter. More than 1,500 parameters are refused at once. Drawing stops with an error if the pace of the first
draws predicts more than the ``minutes`` of the settings; after half of the draws it is not stopped any more.
"""

from time import perf_counter
from typing import Any

from comparisons.comparison.fits import Fits
from comparisons.family import Family
from comparisons.output.progress import Progress

MOST_PARAMETERS = 1500
MANY_PARAMETERS, FEW_ROWS = 100, 10  # with more parameters, or fewer rows for each, EM's table is shown before drawing
FIRST_DRAWS, FIRST_SECONDS = 100, 15.0  # before the first prediction, and before it may stop a run: warm-up is slow
LAST_TO_JUDGE = 0.5  # share of the draws after which a run is not stopped
SHARE_OF_DRAWS = 0.8  # share of the time for draws; the checks take the rest


class TooLongError(TimeoutError):
    """The comparison would take longer than its settings allow. The message says what would take less time."""


def n_parameters(family: Family, sizes: dict[str, int]) -> int:
    """Return the number of free parameters of a family's mixture with axes of these lengths."""
    lengths = {"feature_bis": sizes.get("feature", 0)} | sizes
    return sum(quantity.support.n_free(quantity.shape(lengths)) for quantity in family.quantities)


def smaller_mixtures(fits: Fits) -> dict[str, int]:
    """Return smaller mixtures, with their numbers of parameters: other structures of the family, one component less."""
    family, sizes, counts = fits.family, fits.map.parameters_.sizes, {}
    for option in family.options:
        for choice in option.choices or ():
            other = type(family)(**family.of_data | family.of_mixture | {option.name: choice})
            counts[f"{option.flag} {choice}"] = n_parameters(other, sizes)
    if (K := fits.n_components) > 1:
        counts[f"K = {K - 1}"] = n_parameters(family, sizes | {"component": K - 1})
    return {name: count for name, count in counts.items() if count < fits.map.parameters_.n_free_parameters}


def size_of(fits: Fits) -> str:
    """Return a sentence with the numbers of parameters, of rows, and of parameters of smaller mixtures."""
    p, n = fits.map.parameters_.n_free_parameters, len(fits.X)
    share = f"{n / p:.0f}" if n > FEW_ROWS * p else f"{n / p:.2g}"
    smaller = ", ".join(f"{count} with {name}" for name, count in smaller_mixtures(fits).items())
    return f"{p} free parameters for {n} rows, {share} rows for each" + (f"; fewer: {smaller}" if smaller else "")


def is_large(fits: Fits) -> bool:
    """Whether to show EM's table before drawing, because draws take long, or there are few rows for each parameter."""
    p = fits.map.parameters_.n_free_parameters
    return p > MANY_PARAMETERS or len(fits.X) < FEW_ROWS * p


def check_size(fits: Fits) -> None:
    """Raise a TooLongError if there are too many parameters to draw them."""
    if fits.map.parameters_.n_free_parameters > MOST_PARAMETERS:
        raise TooLongError(f"parameters must be at most {MOST_PARAMETERS} to be drawn by NUTS, got {size_of(fits)}")


def time_left(fits: Fits, spent: float) -> float:
    """Return the seconds left for draws; raise a TooLongError if the steps before the draws have used them up."""
    minutes = fits.settings.minutes
    if (left := 60 * SHARE_OF_DRAWS * minutes - spent) <= 0:
        raise TooLongError(
            f"minutes must be more than {minutes:g}: the steps before the draws took {_time(spent)}. Ask for more "
            f"minutes or for a smaller mixture. There are {size_of(fits)}"
        )
    return left


class Pace:
    """Report draws to a progress, predict their total time, and stop a run that would take too long.

    Parameters
    ----------
    fits : Fits
        The fits of the comparison.
    progress : Progress
        Where draws are reported.
    seconds : float
        Time left for draws.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, fits: Fits, progress: Progress, seconds: float, clock: Any = perf_counter) -> None:
        self.fits, self.progress, self.seconds, self.clock = fits, progress, seconds, clock
        self.made, self.began, self.told = clock(), 0.0, False

    def advance_to(self, done: int, total: int) -> None:
        """Report the number of draws done, and of all draws, warm-up included.

        Raises
        ------
        TooLongError
            If all draws would take longer than the time that is left.
        """
        self.progress.advance_to(done, total)
        settings, now = self.fits.settings, self.clock()
        self.began = self.began or now
        spent, whole = now - self.began, (now - self.began) * total / max(done, 1)
        if done >= FIRST_DRAWS and not self.told:
            self.told = True
            self.progress.tell(f"{total} draws will take about {_time(whole)} at the pace of the first {done}")
        late = done >= FIRST_DRAWS and spent > FIRST_SECONDS and now - self.made + whole - spent > self.seconds
        if (late or now - self.made > self.seconds) and done <= LAST_TO_JUDGE * total:
            tune = total // settings.chains - settings.draws
            sizes = f"{settings.chains} chains x ({tune} + {settings.draws}) draws"
            times = f"{_time(whole)} where {_time(self.seconds)} are left for them"
            raise TooLongError(
                f"minutes must be more than {settings.minutes:g} for {sizes}, which would take about {times}: "
                f"ask for fewer draws, for more minutes, or for a smaller mixture. There are {size_of(self.fits)}"
            )


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"
