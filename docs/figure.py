"""Draw the figure of the README: ``python docs/figure.py`` writes ``docs/_static/faithful.svg``.

The README is read where nothing can be built, on the page of the repository, so its one figure lies in the repository.
It is plain SVG of a few kilobytes, written line by line here, and a test holds the file to this script.
"""

from pathlib import Path

import numpy as np

from comparisons.data import load
from em import GaussianMixtureEM
from em.fitted import FittedMixture
from models.validation import Array

FILE = Path(__file__).parent / "_static" / "faithful.svg"
WIDTH, HEIGHT = 760, 330
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 14, 48
X_RANGE, Y_RANGE = (1.2, 5.6), (36.0, 102.0)  # minutes
COLOURS = "#0072b2", "#d55e00"  # told apart by colour-blind eyes


def places(points: Array) -> Array:
    """Return pixels (n, 2) of points (n, 2) in minutes."""
    low, high = np.transpose([X_RANGE, Y_RANGE])
    share = (points - low) / (high - low)
    x = LEFT + share[:, 0] * (WIDTH - LEFT - RIGHT)
    y = HEIGHT - BOTTOM - share[:, 1] * (HEIGHT - TOP - BOTTOM)
    return np.stack([x, y], axis=1)


def dots(points: Array, colour: str) -> str:
    """Return one path of round dots."""
    path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places(points))
    return f'<path d="{path}" stroke="{colour}" stroke-width="5" stroke-linecap="round" stroke-opacity=".55"/>'


def ellipse(mean: Array, covariance: Array, sigmas: float, colour: str) -> str:
    """Return the line (x - μ)' Σ⁻¹ (x - μ) = s²."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    line = places(mean + sigmas * circle @ np.linalg.cholesky(covariance).T)
    joined = "L".join(f"{x:.1f} {y:.1f}" for x, y in line)
    return f'<path d="M{joined}Z" fill="none" stroke="{colour}" stroke-width="1.4"/>'


def axes() -> list[str]:
    """Return frame, ticks and labels."""
    parts = [
        f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}" fill="none" '
        'stroke="#999"/>'
    ]
    for value in range(2, 6):
        x, _ = places(np.array([[value, Y_RANGE[0]]]))[0]
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value}</text>')
    for value in range(40, 101, 20):
        _, y = places(np.array([[X_RANGE[0], value]]))[0]
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">length of the eruption (minutes)</text>')
    half = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="rotate(-90 18 {half})"'
    return [*parts, f'<text x="18" y="{half}" text-anchor="middle" {turned}>wait for the next (minutes)</text>']


def drawn(fit: FittedMixture, X: Array) -> str:
    """Return the picture as SVG."""
    labels, order = fit.predict(X), np.argsort(fit.means_[:, 0])
    parts = axes()
    for colour, k in zip(COLOURS, order, strict=True):
        parts.append(dots(X[labels == k], colour))
        parts += [ellipse(fit.means_[k], fit.covariances_[k], sigmas, colour) for sigmas in (1, 2, 3)]
        mean = "wait {1:.0f} minutes after {0:.1f}".format(*fit.means_[k])
        x, y = places(fit.means_[[k]])[0]
        at = f'x="{x + 110:.0f}" y="{y + 62:.0f}"' if k == order[0] else f'x="{x - 330:.0f}" y="{y - 48:.0f}"'
        parts.append(f'<text {at} fill="{colour}">{fit.weights_[k]:.0%}: {mean}</text>')
    title = "Old Faithful: 272 eruptions in two groups found by EM, with ellipses at 1, 2 and 3 standard deviations"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
    head += f'font-size="14" role="img"><title>{title}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    return "\n".join([head, '<g fill="#333">', *parts, "</g>", "</svg>"]) + "\n"


def main() -> None:
    """Fit and write the file."""
    X = load("faithful").X
    FILE.write_text(drawn(GaussianMixtureEM(2, random_state=0).fit(X), X), encoding="utf-8")


if __name__ == "__main__":
    main()
