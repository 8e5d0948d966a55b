"""The page of one network. The same figures give the same bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from markupsafe import Markup

from ..emit.page import render_page, svg
from ..figures import Figures
from ..front import front_svg
from ..ir import Placement
from ..lower.picture import memory_map_svg
from ..show_effects import broken
from .accuracy import (
    effects,
    errors,
    errors_against,
    errors_note,
    layer_effects,
    metrics,
    metrics_legend,
    mismatch,
    trials,
)
from .layers import layers
from .passes import passes
from .summary import cards, place
from .table import Table, table
from .words import Name, frequency, name_of, nodes_of

SCRATCH = " scratch"  # behind the names of buffers that a step alone uses
OPTION = 200  # letters of an option's value


def report_html(f: Figures) -> str:
    """The page of one network."""
    return render_page(
        "report/report.html.j2", title=f"{f.name} on {f.board}", f=f, clock=frequency(f.clock_hz), ran=ran(f),
        cards=cards(f), layers=layers(f), memory=memory_map(f), metrics=metrics(f), mismatch=mismatch(f),
        errors=errors(f), trials=trials(f), effects=effects(f), layer_effects=layer_effects(f), front=front(f),
        passes=passes(f), facts=facts(f), legend=metrics_legend(f), warning=warning(f),
        errors_against=errors_against(f), errors_note=errors_note(f),
        notes=[name_of(n, 300).full for n in all_notes(f)],
    )  # fmt: skip


def warning(f: Figures) -> str:
    if not f.is_broken or f.decibels is None:
        return ""
    text = broken(f.decibels)
    return f"{text[0].upper()}{text[1:]}"


def ran(f: Figures) -> str:
    """On what, where it was verified or profiled."""
    places = [place(j["ran_on"]) for j in (f.verification, f.profile) if j and j["ran_on"]]
    return f"Ran on {' and '.join(dict.fromkeys(places))}." if places else ""


def memory_map(f: Figures) -> Markup:
    return svg(memory_map_svg(named_as_layers(f), [layer.op for layer in f.layers], f.arena))


def named_as_layers(f: Figures) -> list[Placement]:
    """Buffers by the number and the name of the layer that writes them, as in the table, without what it does to the
    first node's result; those that no layer, or one that writes several, begins keep their tensor's names.
    """
    nodes = nodes_of(layer.source for layer in f.layers)
    names = {a.index: f"{a.index} {re.split(': | [+] ', nodes.name(a.source, a.op).short)[0]}" for a in f.layers}
    tensors = Counter(b.first for b in f.buffers if not b.name.endswith(SCRATCH))
    return [replace(b, name=buffer_name(b, names.get(b.first, ""), tensors[b.first] == 1)) for b in f.buffers]


def buffer_name(b: Placement, layer: str, is_only: bool) -> str:
    if b.name.endswith(SCRATCH):
        return f"{layer}{SCRATCH}" if layer else b.name
    return layer if layer and is_only else b.name


def front(f: Figures) -> Markup | None:
    """Where there was a recipe, and something is known of the accuracy."""
    shown = [replace(e, request=name_of(e.request).full) for e in f.effects]
    picture = front_svg(shown, "Size against accuracy, pass by pass") if shown else None
    return svg(picture) if picture else None


def all_notes(f: Figures) -> list[str]:
    """Of compiling, verifying and profiling, each once."""
    found = [*f.notes, *(f.verification or {}).get("notes", []), *([f.profile["note"]] if f.profile else [])]
    return list(dict.fromkeys(n for n in found if n))


def facts(f: Figures) -> Table:
    """From what the network was made."""
    return table("What was compiled, and how", ("Entry", "Value"), (), fact_rows(f))


def fact_rows(f: Figures) -> Iterator[tuple[str, str | Name]]:
    yield "Model", name_of(f.origin.model or "given as bytes")
    yield "its SHA-256", f.origin.sha256
    yield from ((key, name_of(value)) for key, value in f.origin.calibration)
    yield "Computes in", f.dtype
    if f.verification and f.verification.get("elf_sha256"):
        hooks = ", with hooks for each layer" if f.verification["hooks"] else ""
        yield f"SHA-256 of the firmware's ELF{hooks}", str(f.verification["elf_sha256"])
    yield "Written by", f"mcucompile {f.origin.version}"
    for key, value in f.origin.options.items():
        if value not in (None, "auto", False, [], {}):
            yield f"Option {key.replace('_', '-')}", name_of(option_text(value), OPTION)


def option_text(value: object) -> str:
    """As it is given on the command line, with lists joined."""
    if isinstance(value, dict):
        return "; ".join(f"{name}={option_text(v)}" for name, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
