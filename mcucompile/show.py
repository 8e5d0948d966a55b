"""Results as tables for people and as plain data for machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from .api import Compiled
from .metrics import Metrics
from .profile import Profile
from .report import Json
from .target.board import Board
from .verify import FLOAT_ULP, Verification

FIGURE = re.compile(r"[-–+]?[\d,.]*(e[-+]\d+)?( %)?")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table whose columns of figures are aligned on the right."""
    result = Table(title=title or None, box=box.SIMPLE_HEAD, show_header=any(columns), pad_edge=False)
    result.title_justify, result.title_style = "left", "bold"
    texts = [[value_text(v) for v in row] for row in rows]
    for i, column in enumerate(columns):
        is_figures = all(FIGURE.fullmatch(row[i]) for row in texts)
        result.add_column(column, justify="right" if is_figures else "left", overflow="fold", no_wrap=i == 0)
    for row in texts:
        result.add_row(*row)
    return result


def value_text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def rows(console: Console, as_json: bool, title: str, listed: Sequence[Json]) -> tuple[Any, int]:
    """A listing with one column per key."""
    if not as_json:
        keys = list(listed[0])
        console.print(table(title, keys, [list(r.values()) for r in listed]))
    return listed, 0


def compiled(console: Console, report: Json, board: Board) -> None:
    """The summary that `compile` prints."""
    steps = [
        (
            str(s["index"]),
            shortened(" + ".join(s["source"])),
            s["shapes"].split(": ", 1)[1],
            f"{s['op']} {s['kernel']}",
            s["macs"],
            s["constants"],
        )
        for s in report["steps"]
    ]
    title = f"{report['name']} for {board.name} ({report['core']})"
    console.print(table(title, ("#", "ONNX nodes", "shapes", "kernel", "MACs", "constants"), steps))
    memory = report["memory"]
    figures = [
        ("RAM: arena", memory["arena"], share(memory["arena"], board.ram_nbytes)),
        ("flash: constants (code comes on top)", report["constants"], share(report["constants"], board.flash_nbytes)),
    ]
    console.print(table("", ("", "bytes", "of the board"), figures))
    console.print(f"The arena is {gap_text(memory)} the lower bound of what is live at once.")
    quantization = report["quantization"] or {}
    if quantization.get("weakest"):
        console.print(f"The layer that loses most to quantization: {quantization['weakest']}")
    for note in report["notes"]:
        console.print(f"note: {note}")


def gap_text(memory: Json) -> str:
    over = memory["arena"] - memory["lower_bound"]
    return "exactly" if over == 0 else f"{share(over, memory['lower_bound'])} above"


def shortened(text: str, width: int = 44) -> str:
    return text if len(text) <= width else f"…{text[1 - width :]}"


def verification(console: Console, c: Compiled, v: Verification, metrics: Mapping[str, Metrics]) -> None:
    verdict = "every byte equals the reference" if v.ok else "the outputs DIFFER from the reference"
    console.print(f"[bold]{c.name} on {v.board}: {verdict}[/bold]")
    console.print(f"{v.samples} samples, {v.over_serial} of them over the serial line")
    if c.report["options"]["dtype"] == "float32":
        console.print(
            f"floats compare within {FLOAT_ULP} ULP of the largest value; the largest distance was {v.max_ulp:g}"
        )
    if v.layers_compared:
        console.print(
            f"{v.layers_compared} intermediate tensors compared; fused away: {len(v.layers_fused)} ONNX nodes"
        )
    if v.mismatch:
        console.print(f"first difference: {v.mismatch}")
    figures = [
        ("RAM: arena", c.program.arena_nbytes),
        ("RAM: stack", v.stack_nbytes),
        ("flash: constants", c.program.weight_nbytes),
        ("flash: code", v.firmware.library_code_nbytes),
        ("flash: library", v.firmware.library_flash_nbytes),
    ]
    console.print(table("", ("", "bytes"), figures))
    if metrics:
        names = ("output", "rmse", "mae", "l2r", "nse", "cos", "agreement", "accuracy", "float accuracy")
        lines = [(name, *asdict(m).values()) for name, m in metrics.items()]
        console.print(table("against the float network", names, lines))


def verification_json(c: Compiled, v: Verification, metrics: Mapping[str, Metrics]) -> Json:
    return {
        "name": c.name,
        "board": v.board,
        "equal": v.ok,
        "samples": v.samples,
        "over_serial": v.over_serial,
        "mismatch": asdict(v.mismatch) if v.mismatch else None,
        "layers_compared": v.layers_compared,
        "layers_fused": list(v.layers_fused),
        "max_ulp": v.max_ulp,
        "arena": c.program.arena_nbytes,
        "arena_lower_bound": c.program.arena_lower_bound,
        "stack": v.stack_nbytes,
        "constants": c.program.weight_nbytes,
        "code": v.firmware.library_code_nbytes,
        "library_flash": v.firmware.library_flash_nbytes,
        "metrics": {name: asdict(m) for name, m in metrics.items()},
    }


def profile(console: Console, c: Compiled, p: Profile) -> None:
    lines = [
        (
            str(layer.step.index),
            shortened(" + ".join(layer.step.source)),
            f"{layer.step.op} {layer.step.variant}",
            layer.step.macs,
            layer.instructions,
            layer.per_mac,
            share(layer.instructions, p.total),
            layer.step.weight_nbytes,
            layer.step.scratch_nbytes,
        )
        for layer in p.layers
    ]
    names = ("#", "ONNX nodes", "kernel", "MACs", "instructions", "per MAC", "share", "constants", "scratch")
    console.print(table(f"{c.name} on {p.board}", names, lines))
    console.print(f"instructions of one run: {p.total:,} (exact); code {p.firmware.library_code_nbytes:,} bytes")


def profile_json(c: Compiled, p: Profile) -> Json:
    return {
        "name": c.name,
        "board": p.board,
        "instructions": p.total,
        "macs": sum(s.macs for s in c.program.steps),
        "code": p.firmware.library_code_nbytes,
        "library_flash": p.firmware.library_flash_nbytes,
        "layers": [
            {
                "index": layer.step.index,
                "source": list(layer.step.source),
                "op": layer.step.op,
                "kernel": layer.step.variant,
                "macs": layer.step.macs,
                "instructions": layer.instructions,
                "constants": layer.step.weight_nbytes,
                "scratch": layer.step.scratch_nbytes,
            }
            for layer in p.layers
        ],
    }


def inspection(console: Console, found: Json) -> None:
    """What `inspect` prints."""
    if found["unsupported"]:
        console.print(f"{found['model']}: {len(found['unsupported'])} nodes cannot be compiled")
        for line in found["unsupported"]:
            console.print(f"  {line}")
        return
    for side in ("inputs", "outputs"):
        console.print(f"{side}: {', '.join(found[side])}")
    console.print(table("operators", ("operator", "count"), list(found["operators"].items())))
    kind = "quantized" if found["quantized"] else "float"
    console.print(f"{kind} network, {found['parameters']:,} parameters, {found['macs']:,} MACs")
    for note in found["notes"]:
        console.print(f"note: {note}")
    if "fit" in found:
        f = found["fit"]
        verdict = "may fit" if f["fits"] else "does NOT fit"
        console.print(
            f"{verdict} {f['board']}: int8 needs at least {f['RAM_at_least']:,} of {f['RAM']:,} bytes of RAM "
            f"and {f['flash_at_least']:,} of {f['flash']:,} bytes of flash"
        )
