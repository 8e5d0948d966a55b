"""The command line. Every command is a thin function over the Python API."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from . import __version__, api, listing, show
from .api import Compiled
from .errors import USER_ERROR, CompileError
from .ir import Numerics, Shape
from .options import BoundaryType, Effort, NetworkType, Ranges, Switch
from .pipeline import Dump
from .target.board import load_board

COMPARISON_FAILED = 1
INTERNAL_ERROR = 70
INTERRUPTED = 130
PIPE_WIDTH = 160  # columns of tables that go to a file or a pipe


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = parser().parse_args(argv)
    stream = sys.stderr if args.json else sys.stdout
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)
    try:
        result, code = args.run(args, console)
        if args.json:
            print(json.dumps(result, indent=1))
        return int(code)
    except CompileError as e:
        report_error(e, args.json)
        return e.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as e:
        if os.environ.get("MCUCOMPILE_TRACEBACK"):
            traceback.print_exc()
        text = f"internal error: {type(e).__name__}: {e}\n  this is a bug in mcucompile; please report it"
        print(f"{text} (MCUCOMPILE_TRACEBACK=1 shows where)", file=sys.stderr)
        return INTERNAL_ERROR


def report_error(e: CompileError, as_json: bool) -> None:
    if as_json:
        fields = {"code": e.code, "what": e.what, "where": e.where, "why": e.why, "fix": e.fix}
        print(json.dumps({"error": fields}, indent=1))
    print(e, file=sys.stderr)


Command = Callable[[argparse.Namespace, Console], tuple[Any, int]]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="mcucompile", description="Trained ONNX networks to bit-exact C for Cortex-M.")
    top.add_argument("--version", action="version", version=f"mcucompile {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="the result as JSON on stdout, everything else on stderr")
    options = compile_options()

    def add(name: str, run: Command, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, parents=[common, *parents])
        command.set_defaults(run=run)
        return command

    c = add("compile", run_compile, "turn an ONNX network into C for a board", options)
    c.add_argument("-o", "--output", type=Path, metavar="DIR", help="output folder (default: NAME)")
    v = add("verify", run_verify, "build, run on the emulator or board, compare every byte", options)
    v.add_argument("--data", type=Path, metavar="DATA.npz", help="inputs, and labels y (default: reference samples)")
    v.add_argument("--per-layer", action="store_true", help="compare every intermediate tensor too")
    v.add_argument("--port", help="serial port of a real board")
    add("profile", run_profile, "count instructions per layer on the emulator", options)
    i = add("inspect", run_inspect, "what is in a model, does it fit, what is unsupported")
    i.add_argument("model", type=Path, metavar="MODEL.onnx")
    i.add_argument("--board", help="say whether the network fits this board")
    i.add_argument("--shape", action="append", default=[], type=shape_option, metavar="INPUT=1,3,32,32")
    add("boards", run_boards, "the boards that mcucompile knows")
    add("ops", run_ops, "the operators that mcucompile compiles, and their kernels")
    add("passes", run_passes, "the passes in order")
    add("explain", run_explain, "what an error code means").add_argument("code", metavar="CODE")
    return top


def compile_options() -> argparse.ArgumentParser:
    """The options that compile, verify and profile share."""
    p = argparse.ArgumentParser(add_help=False)
    p.add_argument("model", type=Path, metavar="MODEL.onnx|DIR", help="a model, or a folder that compile wrote")
    p.add_argument("--board", metavar="BOARD", help="a name that `mcucompile boards` lists, or a TOML file")
    p.add_argument("--name", help="prefix of all C names (default: from the file)")
    p.add_argument("--shape", action="append", default=[], type=shape_option, metavar="INPUT=1,3,32,32")
    p.add_argument("--calibration", type=Path, metavar="DATA.npz", help="representative inputs of a float network")
    p.add_argument("--dtype", choices=values(NetworkType), default="auto", help="what to compute in")
    p.add_argument("--io", choices=values(BoundaryType), default="int8", help="what the caller hands over")
    p.add_argument("--numerics", choices=values(Numerics), default="onnx", help="whose rounding to follow")
    p.add_argument("--ram", type=size_option, metavar="BYTES", help="limit of the arena, e.g. 64K")
    p.add_argument("--ranges", choices=values(Ranges), default="auto", help="how activation ranges are found")
    p.add_argument("--equalize", choices=values(Switch), default="auto", help="cross-layer equalization")
    p.add_argument("--correct-bias", choices=values(Switch), default="auto", help="bias correction")
    p.add_argument("--dump-after", metavar="PASS", choices=pass_names(), help="print the graph after this pass")
    p.add_argument("--prove", action="store_true", help="prove the memory plan with OR-tools")
    for effort, text in ((Effort.O0, "portable kernels only"), (Effort.OS, "size"), (Effort.O2, "speed (default)")):
        p.add_argument(effort.value, dest="effort", action="store_const", const=effort.value, default="-O2", help=text)
    return p


def pass_names() -> list[str]:
    return sorted({row["pass"] for row in listing.passes()} - {"quantize"})


def dump_after(wanted: str | None) -> Dump | None:
    """Prints the graph on stderr each time that the pass has run."""
    if wanted is None:
        return None

    def dump(name: str, text: str) -> None:
        if name == wanted:
            print(f"after {name}:\n{text}", file=sys.stderr)

    return dump


def values(kind: Any) -> list[str]:
    return [member.value for member in kind]


def shape_option(text: str) -> tuple[str, Shape]:
    name, _, sizes = text.partition("=")
    try:
        return name, tuple(int(s) for s in sizes.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not INPUT=1,3,32,32") from None


def size_option(text: str) -> int:
    """Bytes, with an optional K or M (1,024 and 1,048,576)."""
    units = {"K": 1 << 10, "M": 1 << 20}
    digits = text.upper().rstrip("B")
    unit = units.get(digits[-1:], 1)
    digits = digits.rstrip("KM")
    if not digits.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes")
    return int(digits) * unit


def compiled_from(args: argparse.Namespace) -> Compiled:
    """Compile MODEL, or take up what compile left in a folder."""
    if args.model.is_dir():
        return api.load_compiled(args.model, args.board)
    if args.board is None:
        raise CompileError("E0701", "--board is missing", fix="name a board; `mcucompile boards` lists them")
    return api.compile(
        args.model, args.board, calibration=args.calibration, name=args.name, dtype=args.dtype, io=args.io,
        numerics=args.numerics, effort=args.effort, ram=args.ram, ranges=args.ranges, equalize=args.equalize,
        dump=dump_after(args.dump_after), correct_bias=args.correct_bias, prove=args.prove, shapes=dict(args.shape),
    )  # fmt: skip


def run_compile(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    with spinner(console, "compiling"):
        compiled = compiled_from(args)
        folder = args.output or Path(compiled.name)
        compiled.write(folder)
    show.compiled(console, compiled.report, compiled.board)
    console.print(f"\nwritten to {folder}/")
    return compiled.report, 0


def run_verify(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    with spinner(console, "compiling"):
        compiled = compiled_from(args)
        samples = compiled.samples_from(args.data) if args.data else compiled.prepared.samples
    with progress_bar(console, "verifying") as advance:
        data = samples if args.data else None
        result = compiled.verify(data, per_layer=args.per_layer, port=args.port, progress=advance)
    metrics = compiled.metrics(result.outputs, samples) if args.data and samples else {}
    show.verification(console, compiled, result, metrics)
    return show.verification_json(compiled, result, metrics), 0 if result.ok else COMPARISON_FAILED


def run_profile(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    with spinner(console, "compiling"):
        compiled = compiled_from(args)
    with spinner(console, "counting instructions"):
        result = compiled.profile()
    show.profile(console, compiled, result)
    return show.profile_json(compiled, result), 0


def run_inspect(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    with spinner(console, "reading"):
        found = listing.inspect(args.model, dict(args.shape), load_board(args.board) if args.board else None)
    show.inspection(console, found)
    return found, USER_ERROR if found["unsupported"] else 0


def run_boards(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    return show.rows(console, args.json, "boards", listing.boards())


def run_ops(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    return show.rows(console, args.json, "operators", listing.operators())


def run_passes(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    return show.rows(console, args.json, "passes, in order", listing.passes())


def run_explain(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    text = listing.explain(args.code)
    if not args.json:
        console.print(text)
    return {"code": args.code, "explanation": text}, 0


@contextmanager
def spinner(console: Console, text: str) -> Iterator[None]:
    """A sign of life on stderr, when that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(text):
        yield


@contextmanager
def progress_bar(console: Console, text: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, when that is a terminal; the yielded function takes how many of how many are done."""
    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    stderr = Console(stderr=True)
    with Progress(*columns, console=stderr, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(text, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


if __name__ == "__main__":
    sys.exit(main())
