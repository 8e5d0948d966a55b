"""What `flash`, `verify` and `profile` found, as tables for people and as plain data for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

from rich.console import Console

from .api import Compiled
from .html.accuracy import METRICS
from .html.words import duration, frequency
from .metrics import Metrics
from .node_names import nodes_of
from .profile import Profile
from .report import Json
from .run.device import Latency
from .run.flash import Flashed
from .run.ports import board_ports
from .show import counted, say, share, shortened, signed_share, table, with_minus
from .target.board import Board
from .verify import Fit, Verification

FUSED = 4  # names of nodes without a tensor that are told


def verification(console: Console, c: Compiled, v: Verification, metrics: Mapping[str, Metrics]) -> None:
    where = f"on {v.ran_on.text}" if v.ran_on else f"for {v.board}"
    say(console, f"{c.name} {where}: {verdict(v)}", "bold")
    for note in notes(c, v):
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
        against(console, c, metrics)


def against(console: Console, c: Compiled, metrics: Mapping[str, Metrics]) -> None:
    """The metrics that are known."""
    names = [f.name for f in fields(Metrics) if any(getattr(m, f.name) is not None for m in metrics.values())]
    columns = ("output", *(name.replace("real_accuracy", "float accuracy") for name in names))
    texts = {m.key: m.text for m in METRICS}
    lines = [(output, *(with_minus(texts[name](getattr(m, name))) for name in names)) for output, m in metrics.items()]
    console.print(table(f"against the {'float network' if 'rmse' in names else 'labels'}", columns, lines))
    note = metrics_note(c, metrics)
    if note:
        say(console, note)


def metrics_note(c: Compiled, metrics: Mapping[str, Metrics]) -> str:
    """Why there is nothing but the accuracy, where that is so."""
    if not metrics or any(m.rmse is not None for m in metrics.values()):
        return ""
    if c.saved:
        return (
            "The float network is not in a compiled folder: to compare with it, too, give the model's .onnx file and "
            "--calibration."
        )
    return "The model came quantized: there is no float network to compare with."


def notes(c: Compiled, v: Verification) -> list[str]:
    return [note for note in (*c.notes, v.note) if note]


def verdict(v: Verification) -> str:
    if not v.ran:
        return "built, and it fits; nothing was run, for the board is neither emulated nor at a known port (--port)"
    if v.mismatch:
        return "the outputs DIFFER from the reference"
    return f"every value is within {v.ulp} ULP of the reference" if v.ulp else "every byte equals the reference"


def flashed(console: Console, f: Flashed, hooks: str = "") -> None:
    """What was programmed, and what is known of it; `hooks` says that it is no program of `mcucompile flash`."""
    erased = "" if f.erased_nbytes is None else f", after erasing {f.erased_nbytes:,}"
    done = "handed to the command, which ended with 0" if f.engine == "command" else f"programmed{erased}"
    say(console, f"{f.board}: {f.nbytes:,} bytes {done}, in {f.seconds:.1f} s", "bold")
    say(console, f"by {f.engine}: {f.through}")
    read = "read back, and equal" if f.is_read_back else "not read back: this engine cannot; verify asks the program"
    say(console, f"flash: {read}")
    say(console, f"program {f.program_id}, ELF with SHA-256 {f.sha256}{hooks}")


def same_board(board: Board, port: str | None) -> tuple[list[str], str]:
    """The options by which `verify` takes the board that was just programmed, and not an emulator in its place, nor
    none at all; and what PORT in them stands for, where the board's port is not known.
    """
    is_for_programming = board.flashing is not None and "{port}" in board.flashing.command
    if port is not None and not is_for_programming:
        return ["--port", port], ""
    found = board_ports(board)
    if len(found) == 1:
        return ["--no-flash"] if board.emulator else [], ""
    if found:
        return ["--port", "PORT"], f"PORT is one of {', '.join(p.device for p in found)}"
    looked = f"no serial port with USB id {' or '.join(map(str, board.usb))} is here: " if board.usb else ""
    return ["--port", "PORT"], f"{looked}PORT is that of an adapter on the pins of the board's UART"


def run_details(console: Console, c: Compiled, v: Verification) -> None:
    hooks = " (with hooks for each layer)" if v.hooks else ""
    if v.flashed:
        flashed(console, v.flashed, hooks)
    else:
        say(console, f"the program's ELF has SHA-256 {v.elf_sha256}{hooks}")
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
            say(console, fused_text(c.report["fused"]))


def fused_text(names: Sequence[str]) -> str:
    """How many nodes have no tensor of their own, and the first of them; --json has them all."""
    nodes = nodes_of((name,) for name in names)
    short = list(dict.fromkeys(shortened(nodes.short((name,))) for name in names))
    told = ", ".join([*short[:FUSED], *(["…"] if len(short) > FUSED else [])])
    return f"{counted(len(names), 'node')} fused into others, without a tensor of their own: {told}"


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
        "ran_on": asdict(v.ran_on) if v.ran_on else None,
        "elf_sha256": v.elf_sha256,
        "hooks": v.hooks,
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
        "notes": notes(c, v),
        "metrics": {name: asdict(m) for name, m in metrics.items()},
        "metrics_note": metrics_note(c, metrics),
    }


PROFILE_COLUMNS = (
    *("#", "ONNX nodes", "kernel", "MACs", "instructions", "per MAC"),
    *("est. cycles", "share", "model error", "flash", "scratch"),
)
LESS = ("kernel", "scratch", "model error", "per MAC", "MACs", "flash")  # where there is no room for all columns


def profile(console: Console, c: Compiled, p: Profile) -> None:
    nodes = nodes_of(layer.step.source for layer in p.layers)
    lines = [
        (
            str(layer.step.index),
            shortened(nodes.text(layer.step.source)),
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
    left_out: tuple[str, ...] = ("est. cycles", "model error") if p.cycles is None else ()
    left_out = ("instructions", "per MAC") if p.total is None else left_out
    kept = [i for i, name in enumerate(PROFILE_COLUMNS) if name not in left_out]
    columns = [PROFILE_COLUMNS[i].replace("est. ", "" if p.latency else "est. ") for i in kept]
    console.print(table(f"{c.name} on {p.ran_on.text}", columns, [[line[i] for i in kept] for line in lines], LESS))
    say(console, profile_total(p, c.report))
    if p.cycles:
        say(
            console,
            f"the cost model, by which kernels are chosen, predicts {p.predicted_cycles:,.0f} cycles: "
            f"{signed_share(p.prediction_error)}",
        )
    if p.note:
        say(console, f"note: {p.note}")


def profile_total(p: Profile, report: Json) -> str:
    if p.latency:
        return f"{latency_text(p.latency)}; {p.overhead:,} cycles between layers"
    between = f", of which {p.overhead:,} between layers" if p.cycles is not None else ""
    cycles = f", estimated cycles: {p.cycles:,}, {estimated_time(p.cycles, report)}" if p.cycles is not None else ""
    return f"instructions of one run: {p.total:,} (exact){between}{cycles}; {profiled_code(p)}"


def profiled_code(p: Profile) -> str:
    code = p.firmware.library_code_nbytes
    return f"code {code:,} bytes, of which {max(0, code - sum(x.code_nbytes for x in p.layers)):,} in no layer"


def estimated_time(cycles: int, report: Json) -> str:
    """Wait states are not in the estimate: how many of them cost time depends on caches and prefetching."""
    clock_hz, waits = report["clock_hz"], report["wait_states"]
    time = f"≈ {duration(cycles / clock_hz)}{' at best' if waits else ''} at {frequency(clock_hz)}"
    left_out = f"the {counted(waits, 'wait state')} of the flash" if waits else "wait states"
    return f"{time}, without {left_out}"


def speed(console: Console, report: Json) -> None:
    """What `compile` knows of it."""
    cycles = sum(step["cycles"] for step in report["steps"])
    estimate = estimated_time(cycles, report)
    say(console, f"The cost model, by which kernels are chosen, predicts {cycles:,} cycles: {estimate}.")


def profile_json(c: Compiled, p: Profile) -> Json:
    return {"name": c.name, **p.figures()}
