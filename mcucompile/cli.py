"""The command line. Every command is a thin function over the Python API."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from . import api, html, listing, show, show_boards, show_effects, show_runs
from .api import Compiled
from .arguments import program_name
from .compare import comparison, comparison_json
from .connection import connection_of, not_found, programming_of
from .errors import USER_ERROR, CompileError, is_out_of_space, no_space
from .figures import Figures, figures_of, read_figures, read_report
from .files import REPORT, check_folder
from .output import complain, console_on, discard, prepare_output, progress_bars, spinner
from .parser import parser, refuse_settled, same_network
from .passes.base import Dump, Tell
from .profile import not_emulated
from .recipe import read_recipe
from .report import Json, json_text
from .saved import read_saved
from .target.board import Board, load_board

COMPARISON_FAILED = 1
INTERNAL_ERROR = 70
INTERRUPTED = 130

Command = Callable[[argparse.Namespace, Console], tuple[Any, int]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. SIGTERM and SIGHUP end it with everything cleaned up."""
    words = sys.argv[1:] if argv is None else list(argv)
    prepare_output()
    code = 0
    try:
        code = answer(words, "--json" in words)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has enough, as in `mcucompile ops | head`
        discard(sys.stdout, sys.stderr)
        return 128 + signal.SIGPIPE
    except OSError as e:
        if not is_out_of_space(e):
            raise
        discard(sys.stdout)
        if code != USER_ERROR:  # else an error was told, of this or of something else
            complain(str(no_space()))
        return USER_ERROR
    return code


def answer(words: Sequence[str], as_json: bool) -> int:
    """Errors are told. Raised is only that this cannot be done: nobody reads what is printed, or a disk is full."""
    try:
        with ended_by_signals():
            return run_command(words, as_json)
    except CompileError as e:
        return report_error(e, as_json)
    except KeyboardInterrupt:
        return failed(as_json, INTERRUPTED, "interrupted", "interrupted")
    except BrokenPipeError:
        raise
    except Exception as e:
        if is_out_of_space(e):
            return report_error(no_space(), as_json)
        if os.environ.get("MCUCOMPILE_TRACEBACK"):
            traceback.print_exc()
        what = f"internal error: {type(e).__name__}: {e}"
        hint = "this is a bug in mcucompile; please report it (MCUCOMPILE_TRACEBACK=1 shows where)"
        return failed(as_json, INTERNAL_ERROR, what, f"{what}\n  {hint}")


def run_command(words: Sequence[str], as_json: bool) -> int:
    args = parser().parse_args(words)
    if getattr(args, "html", None) is not None:
        html.check_page(args.html)
    result, code = COMMANDS[args.command](args, console_on(sys.stderr if as_json else sys.stdout))
    if as_json:
        print(json_text(result))
    sys.stdout.flush()  # so that a failure of that is told, as any other
    return code


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP become SystemExit, so that temporary folders and the emulator go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    kinds = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {kind: signal.signal(kind, end) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def report_error(e: CompileError, as_json: bool) -> int:
    if as_json:
        fields = {"code": e.code, "what": e.what, "where": e.where, "why": e.why, "fix": e.fix}
        print(json_text({"error": fields}))
    complain(str(e))
    return e.exit_code


def failed(as_json: bool, code: int, what: str, text: str) -> int:
    """An end that is no error of the user's, and so has no code of the catalogue."""
    if as_json:
        print(json_text({"error": {"code": None, "what": what, "where": "", "why": "", "fix": ""}}))
    complain(text)
    return code


def dump_after(wanted: str | None) -> Dump | None:
    """Prints the graph on stderr each time that the pass has run."""
    if wanted is None:
        return None

    def dump(name: str, text: str) -> None:
        if name == wanted:
            print(f"after {name}:\n{text}", file=sys.stderr)

    return dump


def board_from(args: argparse.Namespace) -> Board:
    """The one that --board names, or that the folder was compiled for; says what is not there or is missing."""
    if not os.path.exists(args.model):
        raise CompileError("E0702", f"there is no file or folder {args.model}", fix="check the path")
    if args.model.is_dir():
        if args.command == "compile":
            raise CompileError("E0701", f"{args.model} is a folder", fix="give the .onnx file of a model")
        refuse_settled(args)
        return read_saved(args.model).board(None) if args.board is None else load_board(args.board)
    if args.board is None:
        raise CompileError("E0701", "--board is missing", fix="name a board; `mcucompile boards` lists them")
    return load_board(args.board)


def compiled_from(args: argparse.Namespace, board: Board, tell: Tell) -> Compiled:
    """Compile MODEL, or take up what compile left in a folder; says before it begins what cannot be written."""
    if args.model.is_dir():
        return api.load_compiled(args.model, board)
    if args.command == "compile":
        check_folder(output_folder(args))
    names = ("calibration", "name", "dtype", "io", "numerics", "effort", "ram", "flash_budget", "ranges", "equalize",
             "correct_bias")  # fmt: skip
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    passes = args.passes or (read_recipe(args.recipe) if args.recipe else ())
    return api.compile(
        args.model, board, passes=passes, dump=dump_after(args.dump_after), progress=tell,
        prove=bool(args.prove), shapes=dict(args.shape or []), export=getattr(args, "export", ()), **given,
    )  # fmt: skip


def output_folder(args: argparse.Namespace) -> Path:
    """Raises E0701 for a name that gives no sound library."""
    return args.output or Path(program_name(args.model, args.name))


def figures_from(args: argparse.Namespace, c: Compiled, verification: Json | None, profile: Json | None) -> Figures:
    """For a folder those of its own report, which knows more of the model than the folder's twin does."""
    report = json.loads(c.files[REPORT])
    if args.model.is_dir():
        saved = read_figures(args.model, verification, profile)
        if saved.board == c.board.name:
            return saved
        known = read_report(args.model)
        told = ("model", "calibration", "quantization", "quality", "passes", "options")
        report |= {key: known[key] for key in told}
        report["notes"] = [*report["notes"], f"passes, options and errors are told as of compiling for {saved.board}"]
    return figures_of(report, verification, profile)


def write_page(
    args: argparse.Namespace, console: Console, c: Compiled, verification: Json | None = None,
    profile: Json | None = None,
) -> None:  # fmt: skip
    """What --html asks for."""
    if args.html is not None:
        put_page(args, console, html.report_html(figures_from(args, c, verification, profile)))


def put_page(args: argparse.Namespace, console: Console, page: str) -> None:
    html.write_page(args.html, page)
    show.say(console, f"page: {args.html}")


def run_compile(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    """The summary and the page are made before anything is written, and printed when everything is."""
    with spinner(console, "compiling") as tell:
        compiled = compiled_from(args, board_from(args), tell)
        folder = output_folder(args)
        with console.capture() as summary:
            show.compiled(console, compiled.report, compiled.board)
            show_runs.speed(console, compiled.report)
            show_effects.effects(console, compiled.effects)
            show_effects.doubt(console, compiled.report, compiled.effects)
        page = html.report_html(figures_from(args, compiled, None, None)) if args.html else ""
        if args.html:
            html.check_beside(args.html, folder, compiled.files)
        with html.fresh_page(args.html, page, folder) if args.html else nullcontext():
            compiled.write(folder)
    console.file.write(summary.get())
    show.say(console, f"\nwritten to {folder}/")
    show.exports(console, compiled.options.export, folder, compiled.name)
    if args.html:
        show.say(console, f"page: {args.html}")
    return json.loads(compiled.files[REPORT]), 0


def run_verify(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    board = board_from(args)
    how, port = connection_of(args, board)
    with spinner(console, "compiling") as tell:
        compiled = compiled_from(args, board, tell)
        samples = compiled.samples_from(args.data) if args.data else None
    if port is None and compiled.board.emulator is None:
        compiled = replace(compiled, notes=(*compiled.notes, not_found(compiled.board)))
    with progress_bars(console, "verifying") as bar:
        result = compiled.verify(
            samples, per_layer=args.per_layer, port=port, how=how, timeout=args.timeout, progress=bar("verifying"),
            programming=bar("programming"),
        )  # fmt: skip
    metrics = compiled.metrics(result.outputs, samples) if samples and result.ran else {}
    show_runs.verification(console, compiled, result, metrics)
    found = show_runs.verification_json(compiled, result, metrics)
    write_page(args, console, compiled, verification=found)
    return found, COMPARISON_FAILED if result.mismatch else 0


def run_flash(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    board = board_from(args)
    how = programming_of(args, board)
    with spinner(console, "compiling") as tell:
        compiled = compiled_from(args, board, tell)
    with progress_bars(console, "building") as bar:
        flashed = compiled.flash(how, port=args.port, mlperf=args.mlperf, progress=bar("programming"))
    show_runs.flashed(console, flashed)
    if args.mlperf:
        show.say(console, f"now start MLPerf Tiny's runner: the board answers as its device under test, {args.mlperf}")
        return asdict(flashed), 0
    options, remark = show_runs.same_board(compiled.board, args.port)
    words = [str(args.model), "--board", args.board or compiled.board.name, *same_network(args), *options]
    show.say(console, "now:")
    show.say(console, f"  mcucompile verify {shlex.join(words)}", pasted=True)
    if remark:
        show.say(console, f"  {remark}")
    return asdict(flashed), 0


def run_profile(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    board = board_from(args)
    how, port = connection_of(args, board)
    if port is None and board.emulator is None:
        raise not_emulated(board, not_found(board))
    with spinner(console, "compiling") as tell:
        compiled = compiled_from(args, board, tell)
    with progress_bars(console, "measuring" if port else "counting instructions") as bar:
        result = compiled.profile(port=port, how=how, timeout=args.timeout, programming=bar("programming"))
    show_runs.profile(console, compiled, result)
    found = show_runs.profile_json(compiled, result)
    write_page(args, console, compiled, profile=found)
    return found, 0


def run_compare(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    with spinner(console, "comparing"):
        found = comparison(args.folders, args.data)
        page = html.comparison_html(found) if args.html else ""
    for t in (html.variants_table(found), html.places_table(found)):
        if t.rows:
            names = [column.text for column in t.columns]
            console.print(show.table(t.caption, names, t.texts, html.less_important(found)))
    if found.note:
        show.say(console, f"note: {found.note}")
    if found.has_places:
        show.say(console, f"layers that are the same in all: {found.same}")
    if args.html:
        put_page(args, console, page)
    return comparison_json(found), 0


def run_inspect(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    with spinner(console, "reading"):
        found = listing.inspect(args.model, dict(args.shape or []), load_board(args.board) if args.board else None)
    show.inspection(console, found)
    return found, USER_ERROR if found["unsupported"] else 0


def run_boards(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    if not args.boards:
        found = listing.boards()
        show_boards.boards(console, found)
        return found, 0
    details = [listing.board_details(load_board(name)) for name in args.boards]
    for board in details:
        show_boards.board(console, board)
    return details, 0


def run_ops(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    return show.rows(console, args.json, "operators", listing.operators())


def run_passes(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    return show.rows(console, args.json, "passes, in order", listing.passes())


def run_explain(args: argparse.Namespace, console: Console) -> tuple[Any, int]:
    text = listing.explain(args.code)
    if not args.json:
        show.say(console, text)
    return {"code": args.code, "explanation": text}, 0


COMMANDS: dict[str, Command] = {
    "compile": run_compile, "compare": run_compare, "verify": run_verify, "profile": run_profile,
    "inspect": run_inspect, "boards": run_boards, "flash": run_flash, "ops": run_ops,
    "passes": run_passes, "explain": run_explain,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
