"""EM's path as an animation: a page with play, step and a slider, or a GIF. Each frame is a picture of `plot`."""

import io
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.engine.path import EMPath
from em.page import address, filled
from em.plots.picture import draw
from em.process.process_wide import without_expected_warnings
from em.process.progress import track
from em.saving.whole_files import write_whole
from models.labels import plain
from models.shown import shown
from models.validation import count_at_least, number_above

DPI = 100
LAST = 2.0  # additional seconds of a GIF's last frame


@dataclass(frozen=True)
class Frame:
    """A picture with its caption."""

    image: bytes
    caption: str


def animate(
    path: EMPath[Any],
    X: ArrayLike,
    file: str | os.PathLike[str],
    *,
    sample_weight: ArrayLike | None = None,
    seconds: float = 0.4,
    most_frames: int = 60,
    progress: bool = True,
) -> None:
    """Write EM's path as a page (.html) with play, step and a slider, or as an animated picture (.gif).

    The page is one file that needs no network: the frames are data inside it. If the path is longer than
    ``most_frames``, all of the first iterations are shown, in which most happens, and fewer and fewer of the later
    ones.

    Parameters
    ----------
    path : EMPath
        The attribute ``path_`` of a fit with ``keep_path=True``.
    X : array_like, shape (n, D)
        The samples of the fit.
    file : str or path
        The file to write; its name ends in .html or .gif.
    sample_weight : array_like, shape (n,), or None
        How often each sample counts.
    seconds : float, default 0.4
        Time for which a frame is shown.
    most_frames : int, default 60
        Largest number of frames.
    progress : bool, default True
        Whether to show a progress bar on a terminal or in a notebook.

    Raises
    ------
    ValueError
        If an argument is not legal.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from em import GaussianMixtureEM
    >>> from em.plots import animate
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> fit = GaussianMixtureEM(2, init=[[0.0], [1.0]]).fit(X, keep_path=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     animate(fit.path_, X, f"{folder}/em.html", most_frames=3)
    ...     Path(folder, "em.html").read_text().count("data:image/webp")
    3
    """
    if not isinstance(path, EMPath) or not len(path):
        raise ValueError(f"path must be the path_ of fit(X, keep_path=True), got {shown(path)}")
    if (ending := Path(file).suffix.lower()) not in (".html", ".gif"):
        raise ValueError(f"file must end in .html or .gif, got {shown(os.fspath(file))}")
    seconds = number_above("seconds", seconds, 0)
    numbers = _chosen(len(path), count_at_least("most_frames", most_frames, 2))
    drawn = track(numbers, f"Drawing {len(numbers)} frames", progress)
    write_whole(file, None)
    form, write = ("webp", _page) if ending == ".html" else ("png", _gif)
    write_whole(file, write([_frame(path, i, X, sample_weight, form) for i in drawn], seconds))


def _chosen(length: int, most: int) -> list[int]:
    """Return the numbers of at most ``most`` iterations: dense at the start, sparse later, and the last."""
    if length <= most:
        return list(range(length))
    return (np.unique(np.geomspace(1, length, most).astype(int)) - 1).tolist()


def _frame(path: EMPath[Any], i: int, X: ArrayLike, sample_weight: ArrayLike | None, form: str) -> Frame:
    import matplotlib.pyplot as plt

    mixture, image = path.at(i), io.BytesIO()
    with without_expected_warnings:
        log_likelihood, *_ = mixture._sums(X, sample_weight)
        caption = f"iteration {i} of {len(path) - 1}: log-likelihood {log_likelihood:.3f}"
        figure = np.ravel(draw(mixture, X, sample_weight=sample_weight))[0].figure
        try:
            figure.suptitle("\n".join(filter(None, [caption, figure.get_suptitle()])), fontsize=10)
            figure.savefig(image, format=form, dpi=DPI)
        finally:
            plt.close(figure)
    return Frame(image.getvalue(), caption)


def _page(frames: list[Frame], seconds: float) -> str:
    shown = [(address(frame.image, "webp"), plain(frame.caption)) for frame in frames]
    return filled(files(__package__).joinpath("animation.html"), frames=shown, milliseconds=round(1000 * seconds))


def _gif(frames: list[Frame], seconds: float) -> bytes:
    """Return the frames as a GIF, which shows the last one longer."""
    from PIL import Image

    first, *others = (Image.open(io.BytesIO(frame.image)).convert("RGB") for frame in frames)
    durations, film = [1000 * seconds] * len(others) + [1000 * (seconds + LAST)], io.BytesIO()
    first.save(film, "gif", save_all=True, append_images=others, duration=durations, loop=0)
    return film.getvalue()
