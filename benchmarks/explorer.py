"""Click through the EM explorer in headless Chromium and check its numbers: ``python -m benchmarks.explorer``.

The page is served on a free port of this machine. Each line of the output is a claim, checked on the numbers that the
page shows. The exit code is 1 if one fails, or if the page sends a request to another machine. Screenshots, wide and
narrow, are written for a look. The browser is that of the machine: nothing is downloaded.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from benchmarks.tables import new_console

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "notebooks" / "explorer.py"
BROWSERS = "chromium", "chromium-browser", "google-chrome", "chrome"
BOUND = 'img[alt="Log-likelihood, bound and gap by step"]'
SHOWN = re.compile(r"step (\d+) \((.+?)\):\s+Log-likelihood (\S+) = Q (\S+) \+ H (\S+) \+ gap KL (\S+) nats")
MAXIMUM = -1130.263960  # of Old Faithful with two components
WIDTHS, HEIGHT = (1200, 500), 2300
PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Shown:
    """The numbers that the page shows."""

    steps: int
    last: str
    log_likelihood: float
    q: float
    entropy: float
    gap: float


@dataclass(frozen=True)
class Line:
    """What was clicked, whether the expected change followed, and the seconds that it took."""

    click: str
    claim: str
    holds: bool
    seconds: float


Claim = Callable[[Shown, Shown], bool]
BUTTONS: list[tuple[str, str, Claim]] = [
    ("E-step", "the gap closes, the log-likelihood stays", lambda a, b: b.gap < 1e-6 < a.gap and _same(a, b)),
    ("M-step", "the log-likelihood rises, the gap opens", lambda a, b: _rises(a, b) and b.gap > 0),
    ("E-step", "the gap closes again", lambda a, b: b.gap < 1e-6 < a.gap and _same(a, b)),
    ("M-step", "the log-likelihood rises again", lambda a, b: _rises(a, b)),
    ("EM until converged", "it ends at the maximum", lambda a, b: abs(b.log_likelihood - MAXIMUM) < 1e-3),
    ("hard E-step", "no entropy, and a gap stays", lambda a, b: b.entropy == 0 and b.gap > 0),
    ("M-step with prior", "the step is one with prior", lambda a, b: b.last == "M-step with prior"),
    ("Gibbs sweep", "labels are drawn: no entropy", lambda a, b: b.last == "Gibbs sweep" and b.entropy == 0),
    ("Reset", "it begins anew", lambda a, b: b.steps == 0),
]
SWITCHES = {"hard E-step": "hard EM", "M-step with prior": "MAP (with the prior)"}


def _same(a: Shown, b: Shown) -> bool:
    return a.log_likelihood == b.log_likelihood


def _rises(a: Shown, b: Shown) -> bool:
    return b.log_likelihood > a.log_likelihood


@contextmanager
def served(page: Path) -> Iterator[str]:
    """Serve the page on a free port, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "marimo",
        "run",
        str(page),
        "--headless",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    server = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def numbers_in(text: str) -> Shown:
    """Return the numbers in the text of the page."""
    match = SHOWN.search(text)
    if match is None:
        raise ValueError(f"text must be that of the page, with its log-likelihood, got {text[:200]!r}")
    steps, last, *numbers = match.groups()
    return Shown(int(steps), last, *map(float, numbers))


def read(page: Any) -> Shown:
    """Return the numbers that the page shows."""
    return numbers_in(page.inner_text("body"))


def changed(page: Any, act: Callable[[], None]) -> tuple[Shown, Shown, float]:
    """Act, wait until picture and numbers change, and return the numbers before and after and the seconds."""
    before = read(page)
    page.evaluate(f"window.before = document.querySelector({BOUND!r}).src")
    start = time.perf_counter()
    act()
    page.wait_for_function(f"document.querySelector({BOUND!r})?.src !== window.before", timeout=1000 * PATIENCE)
    seconds = time.perf_counter() - start
    while time.perf_counter() - start < PATIENCE:
        after = read(page)
        if (after.steps, after.log_likelihood) != (before.steps, before.log_likelihood):
            return before, after, seconds
        page.wait_for_timeout(20)
    raise TimeoutError(f"nothing changed within {PATIENCE:.0f} seconds; the page shows {before}")


def button(page: Any, name: str) -> Any:
    """Return a button by its name."""
    return page.get_by_role("button", name=name, exact=True)


def stepped(page: Any) -> Iterator[Line]:
    """Press every button, then move a component, and yield the result of each."""
    for name, claim, holds in BUTTONS:
        if name in SWITCHES:
            page.get_by_text(SWITCHES[name], exact=True).click()
            button(page, name).wait_for()
        before, after, seconds = changed(page, button(page, name).click)
        yield Line(name, claim, holds(before, after), seconds)
    for switch, name in (("hard EM", "E-step"), ("MAP (with the prior)", "M-step")):
        page.get_by_text(switch, exact=True).click()
        button(page, name).wait_for()
    slider = page.get_by_role("slider").last
    slider.focus()
    before, after, seconds = changed(page, lambda: slider.press("ArrowRight"))
    moved = after.last == "means moved" and not _same(before, after)
    yield Line("a slider", "a mean moves, and with it the log-likelihood", moved, seconds)


def families(page: Any) -> Iterator[Line]:
    """Choose each other family in turn, and take both steps."""
    menu = page.get_by_label("Family", exact=True)
    for name in menu.locator("option").all_inner_texts()[1:]:
        _, before, seconds = changed(page, partial(menu.select_option, label=name))
        changed(page, button(page, "E-step").click)
        _, after, _ = changed(page, button(page, "M-step").click)
        yield Line(name, "both steps raise the log-likelihood", before.steps == 0 and _rises(before, after), seconds)


def look(browser: str, folder: Path) -> list[Line]:
    """Return a line for each claim; screenshots go to the folder."""
    program = shutil.which(browser) if browser else next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        given = f"no program {browser!r}" if browser else f"none of {', '.join(BROWSERS)}"
        raise typer.BadParameter(f"browser must be Chromium or Chrome, got {given}: install one, or give --browser")
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with served(PAGE) as address, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program)
        page, foreign = chromium.new_page(viewport={"width": WIDTHS[0], "height": HEIGHT}), set()
        page.on("request", lambda request: foreign.add(request.url))
        page.goto(address)
        page.wait_for_selector(BOUND, timeout=1000 * PATIENCE)
        lines = list(stepped(page))
        for name in ("E-step", "M-step") * 3:
            changed(page, button(page, name).click)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            page.wait_for_timeout(1000)
            page.screenshot(path=folder / f"explorer-{width}.png")
        lines += families(page)
        chromium.close()
    asked = sorted(
        url for url in foreign if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))
    )
    return [*lines, Line("all of it", f"no other machine is asked {' '.join(asked)}".strip(), not asked, 0.0)]


def main(
    browser: Annotated[str, typer.Option(help="Chromium or Chrome; default: what this machine has.")] = "",
    folder: Annotated[Path, typer.Option(help="Where screenshots go.")] = Path("results/explorer"),
) -> None:
    """Click through the explorer and print what was checked; exit code 1 if a claim fails."""
    lines = look(browser, folder)
    table = Table(title="The explorer, clicked")
    for head in ("click", "claim", "", "seconds"):
        table.add_column(head)
    for line in lines:
        table.add_row(line.click, line.claim, "ok" if line.holds else "FAILS", f"{line.seconds:.2f}")
    new_console().print(table)
    print(f"Screenshots: {folder}")
    raise typer.Exit(0 if all(line.holds for line in lines) else 1)


if __name__ == "__main__":
    typer.run(main)
