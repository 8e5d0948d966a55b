"""The boards, on the terminal: one line each, or all that is known of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from .report import Json
from .show import say, table

KB = 1024
CORE = "cortex-"
COLUMNS = ("board", "core", "MHz", "flash", "RAM", "flashed by", "tested")
WORDS = """core: of Arm's Cortex. flash, RAM: KB (1,024 bytes), for program and network.
flashed by: the engine that is taken, then others for --engine.
tested: emulated, programs ran on a model of the part; links, they were built. None was run on the hardware.
`mcucompile boards BOARD` tells all of a board."""


def boards(console: Console, found: Sequence[Json]) -> None:
    rows = [
        (
            b["board"],
            core_text(b["core"]),
            f"{b['MHz']:g}",
            kilobytes(b["flash"]),
            kilobytes(b["RAM"]),
            b["flashed by"].replace(",", "") or "–",
            b["tried"],
        )
        for b in found
    ]
    console.print(table("boards", COLUMNS, rows))
    say(console, WORDS)


def core_text(core: str) -> str:
    """`cortex-m0plus` is `M0+`."""
    return core.removeprefix(CORE).replace("plus", "+").upper()


def kilobytes(nbytes: int) -> str:
    return f"{nbytes // KB:,}"


def size(nbytes: int) -> str:
    return f"{nbytes} bytes" if nbytes < KB else f"{kilobytes(nbytes)} KB"


def board(console: Console, found: Json) -> None:
    say(console, f"{found['board']}: {found['description']}", "bold")
    console.print(table("", ("", ""), list(board_rows(found))))


def board_rows(b: Json) -> Iterator[tuple[str, str]]:
    yield "core", f"{b['core']} at {b['clock_hz'] / 1e6:g} MHz, {b['instructions']} kernels"
    for r in b["memory"]:
        holds = f", holds {', '.join(r['holds'])}" if r["holds"] else ""
        name = f" ({r['name']})" if r["name"] != r["kind"] else ""
        yield f"{r['kind']}{name}", f"{size(r['bytes'])} at {r['origin']:#010x}{holds}"
    if b["serial"]:
        pins = [f"{key} {b['serial'][key]}" for key in ("tx", "rx") if key in b["serial"]]
        yield "serial port", ", ".join([f"{b['serial']['baud']:,} baud", *pins])
    if b["usb"]:
        yield "found by USB id", ", ".join(b["usb"])
    if b["engines"]:
        yield "flashed by", ", ".join(b["engines"])
    if b["target"]:
        yield "pyOCD's name", f"{b['target']} (`pyocd list --targets` tells whether that needs a pack)"
    if b["advice"]:
        yield "what to do", b["advice"]
    if b["emulator"]:
        yield "emulated by", f"QEMU's machine {b['emulator']}"
    yield "tested", b["tested"]
