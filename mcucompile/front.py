"""Size against accuracy as a picture: a point for each variant of a network, such as those behind a recipe's passes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from .effects import Effect

WIDTH, HEIGHT = 760, 420
LEFT, TOP, RIGHT, BOTTOM = 72, 56, 24, 60
TICKS = 5
MARGIN = 0.08  # of the plot, around the outermost points
LETTER, LINE, LABEL_LETTERS = 5.9, 13, 48

STYLE = """\
.sa text{font:11px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}
.sa .title{font-size:15px;font-weight:600}.sa .soft{fill:#59636e}.sa .mid{text-anchor:middle}.sa .end{text-anchor:end}
.sa .back{fill:#ffffff}.sa .plot{fill:#f6f8fa;stroke:#59636e}.sa .grid{stroke:#d1d9e0}
.sa .way{fill:none;stroke:#1a6fc9;stroke-width:1.5;stroke-dasharray:5 4}.sa .point{fill:#1a6fc9}.sa .first{fill:#b76e00}
@media (prefers-color-scheme:dark){
.sa text{fill:#e6edf3}.sa .soft{fill:#9198a1}.sa .back{fill:#0d1117}.sa .plot{fill:#151b23}.sa .grid{stroke:#3d444d}
.sa .way{stroke:#58a6ff}.sa .point{fill:#58a6ff}.sa .first{fill:#e3a33b}
}"""


@dataclass(frozen=True)
class Dot:
    """A variant: bytes of flash, its quality in the picture's unit, what hovering tells; `kind` is a class of STYLE."""

    label: str
    flash: int
    quality: float
    tip: str
    kind: str = "point"


def quality(effects: Sequence[Effect]) -> tuple[str, list[float]] | None:
    """What stands for accuracy, the best that is known of all: its name with the unit, and the values."""
    return best_known([e.accuracy for e in effects], [e.decibels for e in effects])


def best_known(
    accuracies: Sequence[float | None], decibels: Sequence[float | None], samples: str = "the calibration samples"
) -> tuple[str, list[float]] | None:
    """Accuracy on these samples, else the signal-to-noise ratio, if all have it."""
    shares = [100 * a for a in accuracies if a is not None]
    if len(shares) == len(accuracies):
        return f"accuracy on {samples}, %", shares
    ratios = [d for d in decibels if d is not None]
    return ("signal-to-noise ratio, dB", ratios) if len(ratios) == len(decibels) else None


def front_svg(effects: Sequence[Effect], title: str = "") -> str | None:
    """A self-contained SVG for light and dark pages; None where nothing is known of the accuracy."""
    found = quality(effects)
    if found is None:
        return None
    name, values = found
    dots = [effect_dot(i, e, v) for i, (e, v) in enumerate(zip(effects, values, strict=True))]
    return dots_svg(dots, dots, name, title)


def effect_dot(index: int, e: Effect, value: float) -> Dot:
    label = e.request or "without the recipe"
    tip = f"{label}: {e.flash:,} bytes of flash, {value:.4g}, {e.delta:.2f} times as fast"
    return Dot(label, e.flash, value, tip, "point" if index else "first")


def dots_svg(dots: Sequence[Dot], way: Sequence[Dot], name: str, title: str = "") -> str:
    """The dots, and a line through those of `way`; `name` is what the quality is called."""
    xs, ys = axis([d.flash / 1024 for d in dots]), axis([d.quality for d in dots])
    at = {id(d): (x_of(xs, d.flash / 1024), y_of(ys, d.quality)) for d in dots}
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at[id(d)] for d in way))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sa" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title or "size and accuracy")}">',
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
        f'<text class="soft" x="{LEFT}" y="42">{escape(name)}, against flash (constants and code) in KB</text>',
        f'<text class="soft mid" x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 16}">flash, KB</text>',
        f'<text class="soft mid" transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2:.1f})" x="18" '
        f'y="{(TOP + HEIGHT - BOTTOM) / 2:.1f}">{escape(name)}</text>',
        *frame(xs, ys),
        *([f'<polyline class="way" points="{line}"/>'] if len(way) > 1 else []),
        *labelled(dots, [at[id(d)] for d in dots], points_between([at[id(d)] for d in way])),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def axis(values: Sequence[float]) -> tuple[float, float]:
    """The range shown; not empty where all values are equal."""
    low, high = min(values), max(values)
    room = MARGIN * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def x_of(range_: tuple[float, float], value: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - range_[0]) / (range_[1] - range_[0])


def y_of(range_: tuple[float, float], value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - range_[0]) / (range_[1] - range_[0])


def frame(xs: tuple[float, float], ys: tuple[float, float]) -> Iterator[str]:
    """The plot's background, its grid and the figures along it."""
    width, height, bottom = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM
    yield f'<rect class="plot" x="{LEFT}" y="{TOP}" width="{width}" height="{height}"/>'
    for value in ticks(*xs):
        x = x_of(xs, value)
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>'
        yield f'<text class="soft mid" x="{x:.1f}" y="{bottom + 18}">{value:.6g}</text>'
    for value in ticks(*ys):
        y = y_of(ys, value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="soft end" x="{LEFT - 8}" y="{y + 4:.1f}">{value:.6g}</text>'


def ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, TICKS of them or a few less or more."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.99)
    return [round(k * step, 9) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def points_between(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """On the line through these, a few pixels apart."""
    found = []
    for (x, y), (to_x, to_y) in pairwise(places):
        steps = int(math.hypot(to_x - x, to_y - y) / 4) + 1
        found += [(x + (to_x - x) * k / steps, y + (to_y - y) * k / steps) for k in range(steps + 1)]
    return found


def labelled(
    dots: Sequence[Dot], places: Sequence[tuple[float, float]], line: Sequence[tuple[float, float]] = ()
) -> Iterator[str]:
    """The dots with their labels, each where it covers neither another label, nor a dot, nor these points of the line,
    if there is such a place.
    """
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in places] + [(x - 2, y - 2, x + 2, y + 2) for x, y in line]
    for d, (x, y) in zip(dots, places, strict=True):
        width = LETTER * min(len(d.label), LABEL_LETTERS)
        spots = [(x + dx, y + dy, side) for dy in (-8, 16, 4, -22, 30, -36) for dx, side in sides(x)]
        boxes = [label_box(*spot, width) for spot in spots]
        free = [i for i, box in enumerate(boxes) if inside(box) and not any(overlap(box, t) for t in taken)]
        best = free[0] if free else 0
        taken.append(boxes[best])
        yield point(d, x, y, *spots[best])


def sides(x: float) -> list[tuple[float, str]]:
    """Where a label starts, or ends: on the side with more room first."""
    right, left = (9.0, ""), (-9.0, "end")
    return [left, right] if x > WIDTH * 0.6 else [right, left]


def label_box(x: float, y: float, side: str, width: float) -> tuple[float, float, float, float]:
    start = x - width if side else x
    return start, y - LINE + 3, start + width, y + 3


def inside(box: tuple[float, float, float, float]) -> bool:
    return box[0] >= LEFT and box[1] >= TOP and box[2] <= WIDTH and box[3] <= HEIGHT - BOTTOM


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def point(d: Dot, x: float, y: float, text_x: float, text_y: float, side: str) -> str:
    return (
        f'<g><title>{escape(d.tip)}</title><circle class="{d.kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        f'<text class="{side}" x="{text_x:.1f}" y="{text_y:.1f}">{escape(d.label[:LABEL_LETTERS])}</text></g>'
    )
