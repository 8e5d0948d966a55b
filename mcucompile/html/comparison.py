"""Several networks side by side, as tables and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..compare import Comparison, Part, Place
from ..emit.page import render_page, svg
from ..front import Dot, best_known, dots_svg
from ..show_effects import decibels
from .summary import latency
from .table import Table, table
from .words import DASH, Name, Nodes, change, figure, name_of, nodes_of, percent, signed

KERNELS = 60  # letters of the kernels of a variant


def comparison_html(c: Comparison) -> str:
    """The page."""
    labels, (quality, dots) = shown_labels(c), size_and_quality(c)
    way = unbeaten(dots)
    front = svg(dots_svg(dots, way, quality, "Size against accuracy")) if dots else None
    return render_page(
        "report/compare.html.j2", title=f"Comparison: {' / '.join(labels)}", labels=labels, variants=variants_table(c),
        front=front, has_line=len(way) > 1, places=places_table(c), same=c.same, has_places=c.has_places, note=c.note,
    )  # fmt: skip


def samples_name(c: Comparison) -> str:
    return name_of(c.samples).short


def shown_labels(c: Comparison) -> list[str]:
    return [name_of(label).short for label in c.labels]


def variants_table(c: Comparison) -> Table:
    """A row for each figure, a column for each variant, with how far it is from the first one."""
    return table(
        "The variants; in brackets, the difference from the first", ("Figure",), shown_labels(c), variant_rows(c)
    )


def variant_rows(c: Comparison) -> Iterator[tuple[str, ...]]:
    v = c.variants
    yield "Board", *(f.board for f in v)
    yield "Core", *(f.core for f in v)
    yield "Computes in", *(f.dtype for f in v)
    yield "Flash, with code (estimated)", *against_first([f.flash for f in v])
    yield "of it constants", *against_first([f.constants for f in v])
    yield "RAM: arena", *against_first([f.arena for f in v])
    yield "MACs", *against_first([f.macs for f in v])
    yield "Cycles, estimated", *against_first([f.cycles or 0 for f in v])
    yield "Latency, estimated", *map(latency, v)
    yield "Layers", *(f"{len(f.layers):,}" for f in v)
    if any(f.accuracy is not None for f in v):
        yield f"Accuracy on {samples_name(c)}", *(percent(f.accuracy) for f in v)
    if any(f.decibels is not None for f in v):
        (scores, *others) = dict.fromkeys(f.scores for f in v)
        yield f"SNR of the {'outputs' if others else scores}, against float", *(decibels(f.decibels) for f in v)


def against_first(values: Sequence[int]) -> list[str]:
    texts = [f"{value:,}" for value in values]
    changes = [change(value, values[0]) for value in values]
    return [f"{text} ({by})" if by else text for text, by in zip(texts, changes, strict=True)]


def places_table(c: Comparison) -> Table:
    """Where variants differ, the largest change first; nothing where layers do not compare."""
    nodes = nodes_of(p.nodes for p in c.places)
    numbers = [f"{label}: {what}" for label in shown_labels(c) for what in ("cycles", "constants")]
    caption = (
        "Layers that differ: first those where the share of all cycles, or of all constants, changes most; cycles are "
        "the cost model's, constants are bytes, kernels are in the order of the variants"
    )
    places = c.differing if c.has_places else []
    return table(caption, ("ONNX nodes", "Kernels"), numbers, (place_row(p, nodes) for p in places))


def less_important(c: Comparison) -> list[str]:
    """Columns of `places_table` that go where there is no room, in this order: what others are held against, last."""
    return ["Kernels", *(f"{label}: constants" for label in reversed(shown_labels(c)))]


def place_row(p: Place, nodes: Nodes) -> list[str | Name]:
    row: list[str | Name] = [nodes.name(p.nodes), name_of(kernels_text(p), KERNELS * len(p.parts))]
    for part in p.parts:
        row += [difference(part, p.parts[0], "cycles"), difference(part, p.parts[0], "constants")]
    return row


def kernels_text(p: Place) -> str:
    """One for each variant, in their order; one for all where it is the same."""
    kernels = [" + ".join(part.kernels) if part else DASH for part in p.parts]
    return " → ".join(kernels if len(set(kernels)) > 1 else kernels[:1])


def difference(part: Part | None, first: Part | None, what: str) -> str:
    if part is None:
        return DASH
    value = int(getattr(part, what))
    by = value - int(getattr(first, what)) if first else 0
    return f"{value:,} ({signed(by)})" if by else f"{value:,}"


def size_and_quality(c: Comparison) -> tuple[str, list[Dot]]:
    """What the quality of the variants is called, and a dot for each; none where it is not known of all."""
    found = best_known([v.accuracy for v in c.variants], [v.decibels for v in c.variants], samples_name(c))
    if found is None:
        return "", []
    (name, values), labels = found, shown_labels(c)
    tips = [f"{label}: {v.flash:,} bytes of flash, {figure(value)}"
            for label, v, value in zip(labels, c.variants, values, strict=True)]  # fmt: skip
    rows = zip(labels, c.variants, values, tips, strict=True)
    return name, [
        Dot(label, v.flash, value, tip, "point" if i else "first") for i, (label, v, value, tip) in enumerate(rows)
    ]


def unbeaten(dots: Sequence[Dot]) -> list[Dot]:
    """The Pareto front, from small to large: each is better than all that are smaller."""
    front: list[Dot] = []
    for d in sorted(dots, key=lambda d: (d.flash, -d.quality)):
        if not front or d.quality > front[-1].quality:
            front.append(d)
    return front
