"""The five networks of MLPerf Tiny on every emulated core, against the figures of others in peers.toml.

    python benchmarks/networks.py FOLDER [--network kws] [--board qemu-m4] [--verify] [--json]

FOLDER holds the networks as int8 ONNX files; NETWORKS says how they are called there. Each is compiled at -O2 and -Os,
and at -O2 with TensorFlow Lite's numerics. Everything takes some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

import mcucompile
from mcucompile.errors import CompileError
from mcucompile.show import say, signed_share, table

NETWORKS = {
    "kws": "mlperf_kws_dscnn_int8.onnx",
    "vww": "mlperf_vww_mbv1_025_int8.onnx",
    "ic": "mlperf_ic_resnet8_int8.onnx",
    "ad": "mlperf_ad_autoenc_int8.onnx",
    "sww": "mlperf_strww_int8.onnx",
}
BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
SETTINGS = {
    "O2": {"effort": "-O2"},
    "Os": {"effort": "-Os"},
    "O2-tflite": {"effort": "-O2", "numerics": "tflite"},
}
PEERS = Path(__file__).parent / "peers.toml"
COLUMNS = (
    *("network", "core", "setting", "instructions", "per MAC", "est. cycles", "predicted", "arena", "flash", "stack"),
    *("best peer", "its instructions", "times", "its RAM", "its flash"),
)


@dataclass(frozen=True)
class Peer:
    """Figures of another compiler for one network on one core; ram and flash in bytes."""

    name: str
    core: str
    network: str
    exact: bool
    instructions: int
    cycles: int
    ram: int
    flash: int


@dataclass(frozen=True)
class Result:
    """One network, compiled one way for one board. `stack` in bytes and `equal` are known when it was verified."""

    network: str
    board: str
    core: str
    setting: str
    macs: int
    instructions: int
    cycles: int | None
    prediction_error: float | None
    arena: int
    flash: int
    stack: int | None
    equal: bool | None


def main(arguments: Sequence[str] | None = None) -> int:
    args = parsed(arguments)
    console = Console(width=None if sys.stdout.isatty() else 220)
    results, peers, status = [], read_peers(), 0
    try:
        for result in measure_all(args.folder, args.network, args.board, args.setting, args.verify):
            results.append(result)
            print(f"{result.network} {result.board} {result.setting}", file=sys.stderr)
    except CompileError as e:
        print(e, file=sys.stderr)
        status = e.exit_code  # what was measured is printed nevertheless
    if args.json:
        print(json.dumps([{**asdict(r), "peer": peer_json(best_peer(peers, r))} for r in results], indent=1))
    else:
        show(console, results, peers)
    return status or int(any(r.equal is False for r in results))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the networks are")
    add = parser.add_argument
    add("--network", action="append", choices=NETWORKS, help="only this one; may be given again")
    add("--board", action="append", help="an emulated board instead of all; may be given again")
    add("--setting", action="append", choices=SETTINGS, help="only this one; may be given again")
    add("--verify", action="store_true", help="compare every byte of the outputs, and measure the stack")
    add("--json", action="store_true", help="print JSON")
    args = parser.parse_args(arguments)
    args.network, args.board = args.network or list(NETWORKS), args.board or list(BOARDS)
    args.setting = args.setting or list(SETTINGS)
    return args


def measure_all(
    folder: Path, networks: Sequence[str], boards: Sequence[str], settings: Sequence[str], verify: bool
) -> Iterator[Result]:
    for network in networks:
        for board in boards:
            for setting in settings:
                yield measure(folder / NETWORKS[network], network, board, setting, verify)


def measure(model: Path, network: str, board: str, setting: str, verify: bool) -> Result:
    """Compile, run, count. Raises what mcucompile.compile and profile raise."""
    compiled = mcucompile.compile(model, board, **SETTINGS[setting])  # type: ignore[arg-type]
    profile = compiled.profile()
    verified = compiled.verify() if verify else None
    return Result(
        network=network,
        board=board,
        core=compiled.board.core.name,
        setting=setting,
        macs=sum(s.macs for s in compiled.program.steps),
        instructions=profile.total,
        cycles=profile.cycles,
        prediction_error=profile.prediction_error,
        arena=compiled.program.arena_nbytes,
        flash=profile.firmware.library_flash_nbytes,
        stack=verified.stack_nbytes if verified else None,
        equal=verified.ok if verified else None,
    )


def read_peers() -> list[Peer]:
    listed = tomllib.loads(PEERS.read_text())["peer"]
    return [
        Peer(p["name"], p["core"], network, p["exact"], **p[network])
        for p in listed
        for network in NETWORKS
        if network in p
    ]


def best_peer(peers: Sequence[Peer], result: Result) -> Peer | None:
    """The one with the fewest instructions among those whose outputs are right."""
    same = [p for p in peers if p.exact and (p.core, p.network) == (result.core, result.network)]
    return min(same, key=lambda p: p.instructions, default=None)


def peer_json(peer: Peer | None) -> dict[str, Any] | None:
    return asdict(peer) if peer else None


def show(console: Console, results: Sequence[Result], peers: Sequence[Peer]) -> None:
    console.print(table("MLPerf Tiny, int8", COLUMNS, [row(r, best_peer(peers, r)) for r in results]))
    for r in results:
        if r.equal is False:
            say(console, f"{r.network} on {r.board} at {r.setting}: the outputs DIFFER from the reference", "bold")


def row(r: Result, peer: Peer | None) -> tuple[object, ...]:
    ours = (r.network, r.core, r.setting, r.instructions, r.instructions / r.macs, r.cycles)
    sizes = (signed_share(r.prediction_error), r.arena, r.flash, r.stack)
    if peer is None:
        return (*ours, *sizes, None, None, None, None, None)
    return (*ours, *sizes, peer.name, peer.instructions, peer.instructions / r.instructions, peer.ram, peer.flash)


if __name__ == "__main__":
    raise SystemExit(main())
