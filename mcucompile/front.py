"""Size against accuracy as a picture: one point for the network before a recipe, and one behind each of its passes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .effects import Effect

WIDTH, HEIGHT = 760, 420
LEFT, TOP, RIGHT, BOTTOM = 72, 56, 24, 60
TICKS = 5
MARGIN = 0.08  # of the plot, around the outermost points

STYLE = """\
.sa text{font:11px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}
.sa .title{font-size:15px;font-weight:600}.sa .soft{fill:#59636e}.sa .mid{text-anchor:middle}.sa .end{text-anchor:end}
.sa .back{fill:#ffffff}.sa .plot{fill:#f6f8fa;stroke:#59636e}.sa .grid{stroke:#d1d9e0}
.sa .way{fill:none;stroke:#1a6fc9;stroke-width:1.5;stroke-dasharray:5 4}.sa .point{fill:#1a6fc9}.sa .first{fill:#b76e00}
@media (prefers-color-scheme:dark){
.sa text{fill:#e6edf3}.sa .soft{fill:#9198a1}.sa .back{fill:#0d1117}.sa .plot{fill:#151b23}.sa .grid{stroke:#3d444d}
.sa .way{stroke:#58a6ff}.sa .point{fill:#58a6ff}.sa .first{fill:#e3a33b}
}"""


def quality(effects: Sequence[Effect]) -> tuple[str, list[float]] | None:
    """What stands for accuracy, the best that is known of all: its name with the unit, and the values."""
    shares = [e.accuracy for e in effects if e.accuracy is not None]
    if len(shares) == len(effects):
        return "accuracy on the calibration samples, %", [100 * s for s in shares]
    decibels = [e.decibels for e in effects if e.decibels is not None]
    return ("signal-to-noise ratio, dB", decibels) if len(decibels) == len(effects) else None


def front_svg(effects: Sequence[Effect], title: str = "") -> str | None:
    """A self-contained SVG for light and dark pages; None where nothing is known of the accuracy."""
    found = quality(effects)
    if found is None:
        return None
    name, values = found
    xs, ys = axis([e.flash / 1024 for e in effects]), axis(values)
    at = [(x_of(xs, e.flash / 1024), y_of(ys, v)) for e, v in zip(effects, values, strict=True)]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sa" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title or "size and accuracy")}">',
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
        f'<text class="soft" x="{LEFT}" y="42">{escape(name)}, against flash (constants and code) in KB</text>',
        *frame(xs, ys),
        f'<polyline class="way" points="{way}"/>',
        *(point(i, *p, e, v) for i, (p, e, v) in enumerate(zip(at, effects, values, strict=True))),
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


def frame(xs: tuple[float, float], ys: tuple[float, float]) -> list[str]:
    """The plot's background, its grid and the figures along it."""
    width, height, bottom = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM
    parts = [f'<rect class="plot" x="{LEFT}" y="{TOP}" width="{width}" height="{height}"/>']
    for i in range(TICKS):
        share = (i + 0.5) / TICKS
        x, y = LEFT + share * width, bottom - share * height
        parts += [
            f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>',
            f'<text class="soft mid" x="{x:.1f}" y="{bottom + 18}">{xs[0] + share * (xs[1] - xs[0]):.4g}</text>',
            f'<text class="soft end" x="{LEFT - 8}" y="{y + 4:.1f}">{ys[0] + share * (ys[1] - ys[0]):.4g}</text>',
        ]
    return parts


def point(index: int, x: float, y: float, e: Effect, value: float) -> str:
    """Its label stands on the side where there is room."""
    label, is_right = e.request or "without the recipe", x > WIDTH * 0.6
    text = f"{label}: {e.flash:,} bytes of flash, {value:.4g}, {e.delta:.2f} times as fast"
    kind, side = "point" if index else "first", "end" if is_right else ""
    return (
        f'<g><title>{escape(text)}</title><circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        f'<text class="{side}" x="{x + (-9 if is_right else 9):.1f}" y="{y - 8:.1f}">{escape(label[:48])}</text></g>'
    )
