"""The command line's words: commands, options, and what their values may be."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from . import __version__, listing
from .errors import CompileError
from .export import FORMATS, parse_formats
from .ir import Numerics, Shape
from .options import BoundaryType, Effort, NetworkType, Ranges, Switch
from .run.mlperf import BENCHMARKS
from .target.flashing import ENGINES

SIZE = re.compile(r"([0-9]+)([KM]?)(I?B)?", re.IGNORECASE)
FIXED_BY_A_FOLDER = {
    "name": "--name", "shape": "--shape", "calibration": "--calibration", "dtype": "--dtype", "io": "--io",
    "numerics": "--numerics", "ram": "--ram", "flash_budget": "--flash-budget", "ranges": "--ranges",
    "equalize": "--equalize", "correct_bias": "--correct-bias", "prove": "--prove", "passes": "--passes",
    "recipe": "--recipe",
}  # fmt: skip
"""Compile's options, which a folder that was compiled before has settled; None stands for "not given"."""
EXIT_OF_VERIFY = (
    "Exits with 0 when every value is right, 1 when one differs. A board that is not emulated, and is not found by its "
    "USB id nor named by --port, is only built for: 0 then means that the network fits, and nothing was run. With "
    "--no-flash, --engine, --probe, --drive or --command that is an error."
)


class Parser(argparse.ArgumentParser):
    """Errors become CompileErrors, so that they are printed like all others."""

    def error(self, message: str) -> NoReturn:
        raise CompileError("E0701", message, fix=f"`{self.prog} --help` lists what there is")


def parser() -> Parser:
    top = Parser(
        prog="mcucompile", description="Trained ONNX networks to bit-exact C for Cortex-M.", allow_abbrev=False
    )
    top.add_argument("--version", action="version", version=f"mcucompile {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command")
    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="the result as JSON on stdout, everything else on stderr")

    def add(name: str, text: str, *parents: Parser) -> Parser:
        shared = (common, *parents)
        return commands.add_parser(name, help=text, description=text, parents=shared, allow_abbrev=False)

    add_commands_on_networks(add)
    add_commands_that_list(add)
    return top


def add_commands_on_networks(add: Callable[..., Parser]) -> None:
    options, limit, page, reach = compile_options(), limit_options(), page_options(), board_options()
    c = add("compile", "turn an ONNX network into C for a board", compile_options(takes_folder=False), page)
    c.add_argument("-o", "--output", type=path_option, metavar="DIR", help="output folder (default: NAME)")
    c.add_argument(
        "--export", type=parse_formats, action="extend", default=[], metavar="FORMAT[,FORMAT]",
        help=f"add what drops the folder into a project: {', '.join(FORMATS)}",
    )  # fmt: skip
    v = add("verify", "build, run on the emulator or board, compare every byte", options, limit, page, reach)
    v.add_argument(
        "--data", type=path_option, metavar="DATA.npz", help="inputs, and labels y (default: reference samples)"
    )
    v.add_argument("--per-layer", action="store_true", help="compare every intermediate tensor too")
    v.epilog = EXIT_OF_VERIFY
    f = add("flash", "build the program that verify runs, and put it on a real board", options, reach)
    f.add_argument(
        "--mlperf", choices=BENCHMARKS, help="build the program that MLPerf Tiny's runner takes for this model instead"
    )
    about = "count instructions per layer on the emulator, or cycles on a real board"
    p = add("profile", about, options, limit, page, reach)
    for command in (v, p):
        command.add_argument("--no-flash", action="store_true", help="fail when the board runs another program")
    o = add("compare", "hold networks that were compiled against each other", page)
    o.add_argument(
        "folders", type=path_option, nargs="+", metavar="DIR", help="what compile wrote; the first is the measure"
    )
    o.add_argument(
        "--data", type=path_option, metavar="DATA.npz", help="inputs and labels y, on which accuracy is measured"
    )


def add_commands_that_list(add: Callable[..., Parser]) -> None:
    i = add("inspect", "what is in a model, does it fit, what is unsupported (then it exits with 2)")
    i.add_argument("model", type=path_option, metavar="MODEL.onnx")
    i.add_argument("--board", type=text_option, help="say whether the network fits this board")
    i.add_argument("--shape", action="append", type=shape_option, metavar="INPUT=1,3,32,32")
    b = add("boards", "the boards that mcucompile knows, or all that is known of some")
    b.add_argument(
        "boards", type=text_option, nargs="*", metavar="BOARD", help="one to be told more of, or a TOML file"
    )
    add("ops", "the operators that mcucompile compiles, and their kernels")
    add("passes", "the passes in order")
    add("explain", "what an error code means").add_argument("code", type=text_option, metavar="CODE")


def limit_options() -> Parser:
    p = Parser(add_help=False)
    p.add_argument(
        "--timeout", type=seconds_option, metavar="SECONDS",
        help="for one run of the network (default: 120, more for a large network; on a board by its estimated cycles)",
    )  # fmt: skip
    return p


def page_options() -> Parser:
    p = Parser(add_help=False)
    p.add_argument("--html", type=path_option, metavar="FILE", help="write a page with figures and pictures, too")
    return p


def board_options() -> Parser:
    """How a real board is reached."""
    p = Parser(add_help=False)
    p.add_argument(
        "--port", type=text_option, help="serial port of a real board (default: found by the USB ids of its file)"
    )
    p.add_argument("--engine", choices=ENGINES, help="what programs it (default: as its file says)")
    p.add_argument(
        "--probe", type=text_option, metavar="ID", help="the debug probe's id or a part of it (engines pyocd, openocd)"
    )
    p.add_argument("--drive", type=path_option, metavar="DIR", help="where the UF2 drive is mounted (engine uf2)")
    p.add_argument("--command", dest="template", type=text_option, metavar="LINE", help='"tool {elf}" (engine command)')
    return p


def compile_options(*, takes_folder: bool = True) -> Parser:
    """The options that compile, verify, profile and flash share. Defaults are None: what was not given can be told
    apart.
    """
    p = Parser(add_help=False)
    if takes_folder:
        p.add_argument(
            "model", type=path_option, metavar="MODEL.onnx|DIR", help="a model, or a folder that compile wrote"
        )
    else:
        p.add_argument("model", type=path_option, metavar="MODEL.onnx", help="a trained network")
    p.add_argument(
        "--board", type=text_option, metavar="BOARD", help="a name that `mcucompile boards` lists, or a TOML file"
    )
    p.add_argument("--name", type=text_option, help="prefix of all C names (default: from the file)")
    p.add_argument("--shape", action="append", type=shape_option, metavar="INPUT=1,3,32,32")
    p.add_argument(
        "--calibration", type=path_option, metavar="DATA.npz", help="representative inputs of a float network"
    )
    p.add_argument("--dtype", choices=values(NetworkType), help="what to compute in (auto)")
    p.add_argument("--io", choices=values(BoundaryType), help="what the caller hands over (int8)")
    p.add_argument("--numerics", choices=values(Numerics), help="whose rounding to follow (onnx)")
    p.add_argument("--ram", type=size_option, metavar="BYTES", help="limit of the arena, e.g. 64K")
    p.add_argument(
        "--flash-budget", type=size_option, metavar="BYTES", help="limit of constants and code (estimated), e.g. 128K"
    )
    p.add_argument("--ranges", choices=values(Ranges), help="how activation ranges are found (auto)")
    p.add_argument("--equalize", choices=values(Switch), help="cross-layer equalization (auto)")
    p.add_argument("--correct-bias", choices=values(Switch), help="bias correction (auto)")
    asked = p.add_mutually_exclusive_group()
    asked.add_argument(
        "--passes", type=text_option, metavar="RECIPE", help="compress, e.g. prune_filters=0.4@conv*,cluster=16"
    )
    asked.add_argument("--recipe", type=path_option, metavar="FILE.toml", help="the same from a file")
    p.add_argument("--dump-after", metavar="PASS", choices=pass_names(), help="print the graph after this pass")
    p.add_argument("--prove", action="store_true", default=None, help="prove the memory plan with OR-tools")
    for effort, text in ((Effort.O0, "portable kernels only"), (Effort.OS, "size"), (Effort.O2, "speed (default)")):
        p.add_argument(effort.value, dest="effort", action="store_const", const=effort.value, help=text)
    return p


def same_network(args: argparse.Namespace) -> list[str]:
    """The words for the options that were given and settle the network, to type them again with another command."""
    words = [] if args.effort is None else [args.effort]
    for key, option in FIXED_BY_A_FOLDER.items():
        value = getattr(args, key)
        if value is True:
            words += [option]
        elif isinstance(value, list):
            words += [word for name, shape in value for word in (option, f"{name}={','.join(map(str, shape))}")]
        elif value is not None:
            words += [option, str(value)]
    return words


def refuse_settled(args: argparse.Namespace) -> None:
    """Raises E0701 when options were given that a folder has settled, or that are for its passes."""
    if args.dump_after is not None:
        what = f"--dump-after prints what a pass makes of a model, and {args.model} has its passes behind it"
        raise CompileError("E0701", what, fix="give the model instead of the folder")
    given = [option for key, option in FIXED_BY_A_FOLDER.items() if getattr(args, key) is not None]
    given += [args.effort] if args.effort else []
    if given:
        raise CompileError(
            "E0701", f"{args.model} was compiled before, which settled {', '.join(given)}",
            fix="leave them away, or give the model instead of the folder",
        )  # fmt: skip


def pass_names() -> list[str]:
    return sorted({row["pass"] for row in listing.passes()} - {"quantize"})


def values(kind: Any) -> list[str]:
    return [member.value for member in kind]


def text_option(text: str) -> str:
    """Not empty: what a script gives whose variable is not set would pass for an option that was left out."""
    if not text:
        raise argparse.ArgumentTypeError("the value is empty")
    return text


def path_option(text: str) -> Path:
    return Path(text_option(text))


def shape_option(text: str) -> tuple[str, Shape]:
    name, _, sizes = text.partition("=")
    try:
        return name, tuple(int(s) for s in sizes.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not INPUT=1,3,32,32") from None


def size_option(text: str) -> int:
    """Bytes; with K, KB or KiB times 1,024, with M, MB or MiB times 1,048,576."""
    found = SIZE.fullmatch(text)
    if not found or (found[3] and len(found[3]) == 2 and not found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes, such as 65536, 64K or 1MiB")
    return int(found[1]) << {"": 0, "K": 10, "M": 20}[found[2].upper()]


def seconds_option(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
