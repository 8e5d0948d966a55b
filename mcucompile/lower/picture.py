"""A memory plan as a picture: steps from left to right, the arena from bottom to top, one box per buffer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations

from mcucompile.ir.program import Placement

PLOT_WIDTH, PLOT_HEIGHT = 880, 400
LEFT, TOP, RIGHT = 72, 76, 24
COLUMN_MIN, COLUMN_MAX = 22, 120
LETTER, LINE = 6.3, 13
LABEL_LETTERS, SHORT_LETTERS = 20, 8
WIDTH_MIN = 700
TICKS = 8
MOST_PADDING = 15  # bytes between what is in use and the arena that are told to align buffers
LEGEND = (("input", "graph input"), ("output", "graph output"), ("tensor", "tensor"), ("scratch", "scratch"))

STYLE = """\
.mm text{font:11px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}
.mm .title{font-size:15px;font-weight:600}.mm .soft{fill:#59636e}.mm .mid{text-anchor:middle}.mm .end{text-anchor:end}
.mm .peak{font-weight:600;fill:#b42318}.mm .busiest{fill:#b42318;opacity:.08}
.mm .back{fill:#ffffff}.mm .plot{fill:#f6f8fa}.mm .frame{fill:none;stroke:#59636e}
.mm .grid{stroke:#d1d9e0;stroke-width:1}.mm .limit{stroke:#b42318;stroke-width:1.5;stroke-dasharray:6 4}
.mm .box{stroke-width:1.2;fill-opacity:.82}.mm .hatch{stroke:#1f2328;stroke-width:1;stroke-opacity:.45}
.mm .input{fill:#a8d1ff;stroke:#1a6fc9}.mm .output{fill:#a9e2b4;stroke:#1f883d}
.mm .tensor{fill:#d8ccf5;stroke:#7a56c4}.mm .scratch{fill:#ffdca8;stroke:#b76e00}
@media (prefers-color-scheme:dark){
.mm text{fill:#e6edf3}.mm .soft{fill:#9198a1}.mm .peak{fill:#ff8f85}.mm .back{fill:#0d1117}.mm .plot{fill:#151b23}
.mm .busiest{fill:#ff8f85;opacity:.12}.mm .grid{stroke:#3d444d}.mm .limit{stroke:#ff8f85}.mm .hatch{stroke:#e6edf3}
.mm .input{fill:#123d6b;stroke:#58a6ff}.mm .output{fill:#12492a;stroke:#3fb950}
.mm .tensor{fill:#3d2d66;stroke:#ab8bf0}.mm .scratch{fill:#5c3d0a;stroke:#e3a33b}
}"""


def memory_map_svg(placements: Sequence[Placement], steps: Sequence[str], arena_nbytes: int, title: str = "") -> str:
    """A self-contained SVG for light and dark pages; `steps` are the labels of steps 0 to n - 1.

    The columns before and after the steps hold the graph's inputs and outputs (live from -1, live to n). Bytes that
    two buffers share are hatched, and the busiest step is marked. Hovering over a box shows its name, bytes and life.
    """
    chart = _Chart(tuple(placements), tuple(steps), max(arena_nbytes, 1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mm" width="{chart.width}" height="{chart.height}" '
        f'viewBox="0 0 {chart.width} {chart.height}" role="img" aria-label="{escape(title or "memory map")}">',
        f"<style>{STYLE}</style>",
        '<defs><pattern id="mm-shared" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path class="hatch" d="M0 0V6"/></pattern></defs>',
        f'<rect class="back" width="{chart.width}" height="{chart.height}"/>',
        *_heading(chart, title),
        *_background(chart),
        *(_box(chart, p) for p in chart.placements),
        *_shared(chart),
        *(_box_label(chart, p) for p in chart.placements),
        *_limit(chart),
        *_step_labels(chart),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


@dataclass(frozen=True)
class _Chart:
    """Where things are, in pixels."""

    placements: tuple[Placement, ...]
    steps: tuple[str, ...]
    arena_nbytes: int

    @property
    def columns(self) -> range:
        return range(-1, len(self.steps) + 1)

    @property
    def column(self) -> float:
        return min(COLUMN_MAX, max(COLUMN_MIN, PLOT_WIDTH / len(self.columns)))

    @property
    def bottom(self) -> int:
        return TOP + PLOT_HEIGHT

    @property
    def right(self) -> float:
        return self.x(len(self.steps) + 1)

    @property
    def width(self) -> int:
        return max(round(self.right) + RIGHT, WIDTH_MIN)

    @property
    def height(self) -> int:
        return self.bottom + 24 + round(max(len(label) for label in map(self.label, self.columns)) * LETTER * 0.75)

    def x(self, step: int) -> float:
        """Left edge of a step's column."""
        return LEFT + (step + 1) * self.column

    def y(self, offset: int) -> float:
        return self.bottom - PLOT_HEIGHT * offset / self.arena_nbytes

    def label(self, step: int) -> str:
        if step == -1:
            return "inputs"
        return "outputs" if step == len(self.steps) else f"{step} {_shortened(self.steps[step], LABEL_LETTERS)}"

    def live(self, step: int) -> list[Placement]:
        return [p for p in self.placements if p.first <= step <= p.last]

    def kind(self, p: Placement) -> str:
        if p.first == -1:
            return "input"
        if p.last == len(self.steps):
            return "output"
        return "scratch" if p.first == p.last else "tensor"


def used_nbytes(live: Sequence[Placement]) -> int:
    """Bytes of the arena that are in use by any of the buffers."""
    used, reached = 0, 0
    for begin, end in sorted((p.offset, p.offset + p.nbytes) for p in live):
        used += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return used


def _busiest(chart: _Chart) -> int:
    return max(chart.columns, key=lambda step: used_nbytes(chart.live(step)))


def _heading(chart: _Chart, title: str) -> Iterator[str]:
    busiest = _busiest(chart)
    fullest = used_nbytes(chart.live(busiest))
    yield _text(LEFT, 22, "title", title or "Memory map")
    spare = chart.arena_nbytes - fullest
    aligned = f", the other {spare:,} align them" if 0 < spare <= MOST_PADDING else ""
    facts = f"arena {chart.arena_nbytes:,} bytes; busiest: {chart.label(busiest)} with {fullest:,} in use{aligned}"
    yield _text(LEFT, 40, "soft", facts)
    x = float(LEFT)
    for kind, label in LEGEND:
        yield f'<rect class="box {kind}" x="{x:.1f}" y="50" width="11" height="11"/>'
        yield _text(x + 16, 60, "soft", label)
        x += 40 + len(label) * LETTER
    yield f'<rect x="{x:.1f}" y="50" width="11" height="11" fill="url(#mm-shared)"/>'
    yield f'<rect class="frame" x="{x:.1f}" y="50" width="11" height="11"/>'
    yield _text(x + 16, 60, "soft", "shared by a step's input and output")


def _background(chart: _Chart) -> Iterator[str]:
    plot_width = chart.right - LEFT
    yield f'<rect class="plot" x="{LEFT}" y="{TOP}" width="{plot_width:.1f}" height="{PLOT_HEIGHT}"/>'
    for step in chart.columns[1:]:
        yield f'<path class="grid" d="M{chart.x(step):.1f} {TOP}V{chart.bottom}" stroke-opacity=".5"/>'
    for tick in range(0, chart.arena_nbytes + 1, _tick(chart.arena_nbytes)):
        y = chart.y(tick)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{chart.right:.1f}"/>'
        yield _text(LEFT - 6, y + 4, "soft end", _short_nbytes(tick))
    x = chart.x(_busiest(chart))
    yield f'<rect class="busiest" x="{x:.1f}" y="{TOP}" width="{chart.column:.1f}" height="{PLOT_HEIGHT}"/>'


def _tick(arena_nbytes: int) -> int:
    """The smallest power of two that needs no more than TICKS lines."""
    tick = 1
    while arena_nbytes > tick * TICKS:
        tick *= 2
    return tick


def _short_nbytes(n: int) -> str:
    return f"{n // 1024} KB" if n and n % 1024 == 0 else f"{n} B"


def _box(chart: _Chart, p: Placement) -> str:
    x, y, width, height = _rectangle(chart, p.first, p.last, p.offset, p.offset + p.nbytes)
    tip = f"{p.name}: {p.nbytes:,} bytes at {p.offset:,}, {_life(chart, p)}"
    return (
        f'<rect class="box {chart.kind(p)}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2">'
        f"<title>{escape(tip)}</title></rect>"
    )


def _rectangle(chart: _Chart, first: int, last: int, begin: int, end: int) -> tuple[float, float, float, float]:
    """x, y, width, height; a little air between neighbours, and never thinner than can be seen."""
    x, y = chart.x(first) + 1, chart.y(end) + 0.5
    return x, y, chart.x(last + 1) - x - 1, max(chart.y(begin) - 0.5 - y, 1.0)


def _life(chart: _Chart, p: Placement) -> str:
    return f"live from {chart.label(p.first)} to {chart.label(p.last)}" if p.first < p.last else chart.label(p.first)


def _shared(chart: _Chart) -> Iterator[str]:
    """Hatching over bytes that two live buffers share."""
    for a, b in combinations(chart.placements, 2):
        if not _share(a, b):
            continue
        first, last = max(a.first, b.first), min(a.last, b.last)
        begin, end = max(a.offset, b.offset), min(a.offset + a.nbytes, b.offset + b.nbytes)
        x, y, width, height = _rectangle(chart, first, last, begin, end)
        tip = escape(f"{a.name} and {b.name} share {end - begin:,} bytes")
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="url(#mm-shared)">'
            f"<title>{tip}</title></rect>"
        )


def _share(a: Placement, b: Placement) -> bool:
    meet = max(a.first, b.first) <= min(a.last, b.last)
    return meet and max(a.offset, b.offset) < min(a.offset + a.nbytes, b.offset + b.nbytes)


def _own_columns(chart: _Chart, p: Placement) -> tuple[int, int]:
    """First and last of the columns in which the buffer shares no byte; where it is written if there is none."""
    partners = [q for q in chart.placements if q is not p and _share(p, q)]
    own = [step for step in range(p.first, p.last + 1) if not any(q.first <= step <= q.last for q in partners)]
    return (own[0], own[-1]) if own else (p.first, p.first)


def _box_label(chart: _Chart, p: Placement) -> str:
    """Name and size beside each other, upright or below each other, whatever fits the box whole, else shortened."""
    first, last = _own_columns(chart, p)
    x, y, width, height = _rectangle(chart, first, last, p.offset, p.offset + p.nbytes)
    name, size = p.name, f"{p.nbytes:,}"
    both = f"{name}  {size}"
    x, y = x + width / 2, y + height / 2
    if _fits(both, width) and height > LINE:
        return _text(x, y + 4, "mid", both)
    letters = _room_letters(height)
    is_whole_upright = len(both) <= letters and width > LINE
    if _fits(_shortened(name, SHORT_LETTERS), width) and height > 2 * LINE and not is_whole_upright:
        fitting = _shortened(name, _room_letters(width))
        return _text(x, y - 2, "mid", fitting) + _text(x, y + 11, "mid soft", size)
    upright = (
        both if len(both) <= letters else f"{_shortened(name, max(letters - len(size) - 2, SHORT_LETTERS))}  {size}"
    )
    if len(upright) > letters:
        upright = _shortened(name, max(letters, SHORT_LETTERS))
    if len(upright) <= letters and width > LINE:
        return _text(x + 4, y, "mid", upright, f' transform="rotate(-90 {x + 4:.1f} {y:.1f})"')
    return ""


def _room_letters(room: float) -> int:
    return int((room - 6) / LETTER)


def _fits(text: str, room: float) -> bool:
    return len(text) <= _room_letters(room)


def _limit(chart: _Chart) -> Iterator[str]:
    yield f'<path class="limit" d="M{LEFT} {TOP}H{chart.right:.1f}"/>'
    yield _text(chart.right, TOP - 5, "peak end", f"arena {chart.arena_nbytes:,} bytes")


def _step_labels(chart: _Chart) -> Iterator[str]:
    busiest = _busiest(chart)
    for step in chart.columns:
        x, y = chart.x(step) + chart.column / 2 + 4, chart.bottom + 14
        style = "end peak" if step == busiest else "end"
        yield _text(x, y, style, chart.label(step), f' transform="rotate(-45 {x:.1f} {y})"')


def _shortened(text: str, letters: int) -> str:
    """With the layer's number where there is one, and without the beginning of the name, which many may have."""
    if len(text) <= letters:
        return text
    number = text.partition(" ")[0]
    head = f"{number} " if number.isdecimal() else ""
    return f"{head}…{text[len(text) - max(letters - len(head) - 1, 0) :]}"


def _text(x: float, y: float, style: str, text: str, more: str = "") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{more}>{escape(text)}</text>'
