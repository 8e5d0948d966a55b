"""Results as tables for people and as plain data for machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .api import Compiled
from .export import FORMATS
from .metrics import Metrics
from .profile import Profile
from .report import Json
from .run.device import Latency
from .run.flash import Flashed
from .target.board import Board
from .verify import Fit, Verification

FIGURE = re.compile(r"[-–+]?[\d,.]*(e[-+]\d+)?( %| dB)?")


def printable(text: str) -> str:
    """Without what could move a terminal's cursor: names come from model files."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(console: Console, text: str, style: str = "") -> None:
    """Print the text as it is: brackets and colons in it mean nothing."""
    console.print(Text(printable(text), style))


def exports(console: Console, formats: Iterable[str], folder: Path, name: str) -> None:
    """What to do with the folder in a project of each format."""
    for key in formats:
        use = FORMATS[key].use.format(folder=folder, name=name, NAME=name.upper())
        say(console, f"{key}: {use}")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table whose columns of figures are aligned on the right."""
    result = Table(
        title=Text(printable(title)) if title else None, box=box.SIMPLE_HEAD, show_header=any(columns), pad_edge=False
    )
    result.title_justify, result.title_style = "left", "bold"
    texts = [[value_text(v) for v in row] for row in rows]
    for i, column in enumerate(columns):
        is_figures = all(FIGURE.fullmatch(row[i]) for row in texts)
        result.add_column(
            Text(printable(column)), justify="right" if is_figures else "left", overflow="fold", no_wrap=i == 0
        )
    for row in texts:
        result.add_row(*(Text(printable(cell)) for cell in row))
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
    if memory["banks"]:
        parts = ", ".join(f"{b['bytes']:,} bytes in {b['memory']}" for b in memory["banks"])
        say(console, f"The arena is in pieces: {parts}.")
    say(console, f"The arena is {gap_text(memory)} the lower bound of what is live at once.")
    removed = removed_text(report["passes"])
    if removed:
        say(console, removed)
    weakest = weakest_text(report["quantization"] or {})
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


def weakest_text(quantization: Json) -> str:
    """Operator, ONNX nodes and signal-to-noise ratio of the layer that loses most by itself."""
    name = quantization.get("weakest")
    layers = [e for e in quantization.get("layers", []) if name is not None and e["tensor"] == name]
    if not layers or layers[0]["alone"] is None:
        return ""
    source = one_line(" + ".join(layers[0]["source"]) or str(name))
    return f"{layers[0]['op']} '{source}', {layers[0]['alone']:.1f} dB signal to quantization noise"


def gap_text(memory: Json) -> str:
    over = memory["arena"] - memory["lower_bound"]
    return "exactly" if over == 0 else f"{share(over, memory['lower_bound'])} above"


def shortened(text: str, width: int = 44) -> str:
    """In one line, without its beginning where it is long."""
    line = one_line(text)
    return line if len(line) <= width else f"…{line[1 - width :]}"


def one_line(text: str) -> str:
    return " ".join(text.split())


def verification(console: Console, c: Compiled, v: Verification, metrics: Mapping[str, Metrics]) -> None:
    say(console, f"{c.name} on {v.board}: {verdict(v)}", "bold")
    for note in c.notes:
        say(console, f"note: {note}")
    if v.ran:
        run_details(console, c, v)
    if v.mismatch:
        say(console, f"first difference: {v.mismatch}")
    figures = [
        ("RAM: arena", c.program.arena_nbytes),
        ("RAM: stack", v.stack_nbytes if v.ran else None),
        ("flash: constants", c.program.weight_nbytes),
        ("flash: code", v.firmware.library_code_nbytes),
        ("flash: library", v.firmware.library_flash_nbytes),
    ]
    console.print(table("", ("", "bytes"), figures))
    fit(console, v.fit)
    if metrics:
        names = ("output", "rmse", "mae", "l2r", "nse", "cos", "agreement", "accuracy", "float accuracy")
        lines = [(name, *asdict(m).values()) for name, m in metrics.items()]
        against = "the float network" if any(m.rmse is not None for m in metrics.values()) else "the labels"
        console.print(table(f"against {against}", names, lines))


def verdict(v: Verification) -> str:
    if not v.ran:
        return "built, and it fits; nothing was run, for the board is neither emulated nor at a known port (--port)"
    if v.mismatch:
        return "the outputs DIFFER from the reference"
    return f"every value is within {v.ulp} ULP of the reference" if v.ulp else "every byte equals the reference"


def flashed(console: Console, f: Flashed) -> None:
    """What was programmed, and what is known of it."""
    erased = "" if f.erased_nbytes is None else f", after erasing {f.erased_nbytes:,}"
    say(console, f"{f.board}: {f.nbytes:,} bytes programmed{erased}, in {f.seconds:.1f} s", "bold")
    say(console, f"by {f.engine}: {f.through}")
    read = "read back, and equal" if f.is_read_back else "not read back: this engine cannot; verify asks the program"
    say(console, f"flash: {read}")
    say(console, f"program {f.program_id}, ELF with SHA-256 {f.sha256}")


def run_details(console: Console, c: Compiled, v: Verification) -> None:
    if v.flashed:
        flashed(console, v.flashed)
    else:
        say(console, f"the program's ELF has SHA-256 {v.elf_sha256}")
    say(console, f"{counted(v.samples, 'sample')}, {v.over_serial} of them over the serial line")
    if v.latency:
        say(console, latency_text(v.latency))
    if v.ulp:
        say(
            console,
            f"floats compare in units in the last place of a tensor's largest value; the outputs' largest distance was "
            f"{v.max_ulp:g}",
        )
    if v.layers_compared:
        compared = f"{counted(v.layers_compared, 'intermediate tensor')} compared"
        say(console, f"{compared}, for {counted(v.layer_samples, 'sample')}")
        if c.report["fused"]:
            say(console, f"fused into others, without a tensor of their own: {', '.join(c.report['fused'])}")


def latency_text(t: Latency) -> str:
    times = " / ".join(f"{t.milliseconds(c):.3f}" for c in (t.least, t.median, t.most))
    counter = "the processor's cycle counter" if t.counter == "DWT" else "a timer that counts cycles"
    return (
        f"latency: {times} ms (least / median / most of {t.runs} runs), {t.median:,} cycles at "
        f"{t.clock_hz / 1e6:g} MHz, by {counter}"
    )


def fit(console: Console, f: Fit) -> None:
    figures = [
        ("flash", f.flash_nbytes, f.board_flash_nbytes, share(f.flash_nbytes, f.board_flash_nbytes)),
        ("RAM", f.ram_nbytes, f.board_ram_nbytes, share(f.ram_nbytes, f.board_ram_nbytes)),
        ("RAM: reserved for the stack", f.stack_nbytes, f.board_ram_nbytes, share(f.stack_nbytes, f.board_ram_nbytes)),
    ]
    columns = ("the linked firmware", "bytes", "of the board's", "share")
    console.print(table("", columns, figures))


def verification_json(c: Compiled, v: Verification, metrics: Mapping[str, Metrics]) -> Json:
    return {
        "name": c.name,
        "board": v.board,
        "ran": v.ran,
        "elf_sha256": v.elf_sha256,
        "flashed": asdict(v.flashed) if v.flashed else None,
        "equal": v.ok if v.ran else None,
        "verdict": verdict(v),
        "samples": v.samples,
        "over_serial": v.over_serial,
        "mismatch": asdict(v.mismatch) if v.mismatch else None,
        "layers_compared": v.layers_compared,
        "layer_samples": v.layer_samples,
        "layers_fused": c.report["fused"],
        "ulp": v.ulp,
        "max_ulp": v.max_ulp,
        "arena": c.program.arena_nbytes,
        "arena_lower_bound": c.program.arena_lower_bound,
        "stack": v.stack_nbytes if v.ran else None,
        "constants": c.program.weight_nbytes,
        "code": v.firmware.library_code_nbytes,
        "library_flash": v.firmware.library_flash_nbytes,
        "fit": asdict(v.fit),
        "latency": asdict(v.latency) if v.latency else None,
        "notes": list(c.notes),
        "metrics": {name: asdict(m) for name, m in metrics.items()},
    }


PROFILE_COLUMNS = (
    *("#", "ONNX nodes", "kernel", "MACs", "instructions", "per MAC"),
    *("est. cycles", "share", "predicted", "flash", "scratch"),
)


def profile(console: Console, c: Compiled, p: Profile) -> None:
    lines = [
        (
            str(layer.step.index),
            shortened(" + ".join(layer.step.source), 36),
            f"{layer.step.op} {layer.step.variant}",
            layer.step.macs,
            layer.instructions,
            layer.per_mac,
            layer.cycles,
            share(layer.cycles or layer.instructions or 0, p.cycles or p.total or 1),
            signed_share(layer.prediction_error),
            layer.flash_nbytes,
            layer.step.scratch_nbytes,
        )
        for layer in p.layers
    ]
    left_out: tuple[str, ...] = ("est. cycles", "predicted") if p.cycles is None else ()
    left_out = ("instructions", "per MAC") if p.total is None else left_out
    kept = [i for i, name in enumerate(PROFILE_COLUMNS) if name not in left_out]
    columns = [PROFILE_COLUMNS[i].replace("est. ", "" if p.latency else "est. ") for i in kept]
    console.print(table(f"{c.name} on {p.board}", columns, [[line[i] for i in kept] for line in lines]))
    say(console, profile_total(p))
    if p.cycles:
        say(
            console,
            f"the cost model, by which kernels are chosen, predicts {p.predicted_cycles:,.0f} cycles: "
            f"{signed_share(p.prediction_error)}",
        )
    if p.note:
        say(console, f"note: {p.note}")


def profile_total(p: Profile) -> str:
    if p.latency:
        return f"{latency_text(p.latency)}; {p.overhead:,} cycles between layers"
    between = f", of which {p.overhead:,} between layers" if p.cycles is not None else ""
    cycles = f", estimated cycles: {p.cycles:,}" if p.cycles is not None else ""
    return (
        f"instructions of one run: {p.total:,} (exact){between}{cycles}; code {p.firmware.library_code_nbytes:,} bytes"
    )


def signed_share(part: float | None) -> str:
    return "–" if part is None else f"{100 * part:+.1f} %"


def profile_json(c: Compiled, p: Profile) -> Json:
    return {"name": c.name, **p.figures()}


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
