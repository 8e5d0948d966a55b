"""Results as tables for people and as plain data for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from . import tables
from .export import FORMATS
from .node_names import Nodes, nodes_of
from .report import Json
from .tables import Column, Table
from .target.board import Board


def printable(text: str) -> str:
    """Without what could move a terminal's cursor: names come from model files."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(console: Console, text: str, style: str = "", *, pasted: bool = False) -> None:
    """Print the text as it is: brackets and colons in it mean nothing. What is to be `pasted` stays one line, which a
    terminal may break without tearing it.
    """
    console.print(Text(printable(text), style), soft_wrap=pasted)


def exports(console: Console, formats: Iterable[str], folder: Path, name: str) -> None:
    """What to do with the folder in a project of each format."""
    for key in formats:
        use = FORMATS[key].use.format(folder=folder, name=name, NAME=name.upper())
        say(console, f"{key}: {use}", pasted=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], less: Sequence[str] = ()) -> Table:
    """A table whose columns of figures are aligned on the right; `less` are those that may be left out, as in Table."""
    texts = [[printable(value_text(v)) for v in row] for row in rows]
    cells = [tuple(row[i] for row in texts) for i in range(len(columns))]
    named = (Column(printable(name), column) for name, column in zip(columns, cells, strict=True))
    return Table(printable(title), tuple(named), tuple(less))


def value_text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return with_minus(f"{value:,}")
    return with_minus(f"{value:.4g}") if isinstance(value, float) else str(value)


def with_minus(figure: str) -> str:
    """A figure whose sign is a minus, no hyphen."""
    return f"\N{MINUS SIGN}{figure[1:]}" if figure.startswith("-") else figure


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def signed_share(part: float | None) -> str:
    return "–" if part is None else with_minus(f"{100 * part:+.1f} %")


def rows(console: Console, as_json: bool, title: str, listed: Sequence[Json]) -> tuple[Any, int]:
    """A listing with one column per key."""
    if not as_json:
        keys = list(listed[0])
        console.print(table(title, keys, [list(r.values()) for r in listed]))
    return listed, 0


def compiled(console: Console, report: Json, board: Board) -> None:
    """The summary that `compile` prints."""
    nodes = nodes_of(s["source"] for s in report["steps"])
    steps = [
        (
            str(s["index"]),
            shortened(nodes.text(s["source"])),
            s["shapes"].split(": ", 1)[1],
            f"{s['op']} {s['kernel']}",
            s["macs"],
            s["constants"],
        )
        for s in report["steps"]
    ]
    title = f"{report['name']} for {board.name} ({report['core']})"
    console.print(table(title, ("#", "ONNX nodes", "shapes", "kernel", "MACs", "constants"), steps, ("shapes",)))
    memory = report["memory"]
    figures = [
        ("RAM: arena", memory["arena"], share(memory["arena"], board.ram_nbytes)),
        ("flash: constants", report["constants"], share(report["constants"], board.flash_nbytes)),
        ("flash: with code, estimated", report["flash"], share(report["flash"], board.flash_nbytes)),
    ]
    console.print(table("", ("", "bytes", "of the board"), figures))
    if memory["banks"]:
        parts = ", ".join(f"{b['bytes']:,} bytes in {b['memory']}" for b in memory["banks"])
        say(console, f"The arena is in pieces: {parts}.")
    say(console, f"The arena is {gap_text(memory)} the lower bound of what is live at once.")
    removed = removed_text(report["passes"])
    if removed:
        say(console, removed)
    weakest = weakest_text(report["quantization"] or {}, nodes)
    if weakest:
        say(console, f"The layer that loses most to quantization: {weakest}")
    for note in report["notes"]:
        say(console, f"note: {note}")


def removed_text(passes: list[Json]) -> str:
    """What channels that never matter had cost."""
    layers = [d for p in passes if p["name"] == "remove_channels" for d in p["details"]]
    names = ("channels", "zero_filters", "constant", "unread", "macs", "weights")
    channels, zero, constant, unread, macs, weights = (sum(layer[n] for layer in layers) for n in names)
    if not layers:
        return ""
    return (
        f"Removed, with every bit of the outputs as before: {counted(channels, 'channel')} ({zero:,} with a filter of "
        f"zeros, {constant:,} constant otherwise, {unread:,} that nobody reads), and so {counted(macs, 'MAC')} and "
        f"{counted(weights, 'weight')}."
    )


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def weakest_text(quantization: Json, nodes: Nodes) -> str:
    """Operator, ONNX nodes and signal-to-noise ratio of the layer that loses most by itself."""
    name = quantization.get("weakest")
    layers = [e for e in quantization.get("layers", []) if name is not None and e["tensor"] == name]
    if not layers or layers[0]["alone"] is None:
        return ""
    source = one_line(nodes.text(layers[0]["source"]) or str(name))
    return (
        f"{layers[0]['op']} '{source}', {with_minus(format(layers[0]['alone'], '.1f'))} dB signal to quantization noise"
    )


def gap_text(memory: Json) -> str:
    over = memory["arena"] - memory["lower_bound"]
    return "exactly" if over == 0 else f"{share(over, memory['lower_bound'])} above"


def shortened(text: str, width: int = 60) -> str:
    """In one line, where long words lose their middle."""
    return tables.shortened(text, width)


def one_line(text: str) -> str:
    return " ".join(text.split())


def inspection(console: Console, found: Json) -> None:
    """What `inspect` prints."""
    if found["unsupported"]:
        say(console, f"{found['model']}: {counted(len(found['unsupported']), 'node')} cannot be compiled")
        for line in found["unsupported"]:
            say(console, f"  {line}")
        return
    for side in ("inputs", "outputs"):
        say(console, f"{side}: {', '.join(found[side])}")
    title = f"operators of opset {found['opset']}"
    console.print(table(title, ("operator", "count"), list(found["operators"].items())))
    kind = "quantized" if found["quantized"] else "float"
    say(console, f"{kind} network, {found['parameters']:,} parameters, {found['macs']:,} MACs")
    say(console, f"bytes of constants: {found['float_constants']:,} as float32, {found['int8_constants']:,} as int8")
    for note in found["notes"]:
        say(console, f"note: {note}")
    if "fit" in found:
        f = found["fit"]
        verdict = "fits" if f["fits"] else "does NOT fit"
        say(
            console,
            f"{verdict} {f['board']}: as {f['dtype']} it needs about {f['arena_about']:,} of {f['RAM']:,} bytes of RAM "
            f"and about {f['constants_about']:,} of {f['flash']:,} bytes of flash, where code comes on top",
        )
