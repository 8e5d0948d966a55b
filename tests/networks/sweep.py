"""Compile real networks, run them on every emulated core, and print what they need.

    python tests/networks/sweep.py --models FOLDER --data FOLDER [NETWORK ...] [--boards qemu-m0,…] [--numerics tflite]

Float networks become int8, with their own calibration data where tests/accuracy/cases.py names some, else with random
inputs. Exit code 1 when anything fails or a single byte differs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import mcucompile
from mcucompile.data import Samples
from mcucompile.frontend import load
from mcucompile.target.board import list_boards, load_board

sys.path.insert(0, str(Path(__file__).parent.parent / "accuracy"))
from cases import CASES  # the folder is not a package

RANDOM_SAMPLES = 20


@dataclass(frozen=True)
class Row:
    """One network on one board; sizes in bytes, `samples` over the serial line. `error` when something failed."""

    network: str
    board: str
    equal: bool
    samples: int = 0
    arena: int = 0
    bound: int = 0
    stack: int = 0
    flash: int = 0
    code: int = 0
    instructions: int = 0
    error: str = ""


def calibration(path: Path, data: Path) -> Samples | None:
    """Inputs for a float network; None for a quantized one."""
    graph = load(path).graph
    if any(t.quant for t in graph.activations()):
        return None
    rng = np.random.default_rng(0)
    random = {t.name: rng.standard_normal((RANDOM_SAMPLES, *t.shape)).astype(np.float32) for t in graph.inputs}
    if path.stem not in CASES:
        return Samples(random)
    real = CASES[path.stem].calibration_inputs(data)
    return Samples({t.name: real.reshape(-1, *t.shape) for t in graph.inputs})


def run(path: Path, data: Path, board: str, numerics: str, per_layer: bool) -> Row:
    """Compile, verify on the board, count instructions."""
    try:
        compiled = mcucompile.compile(path, board, calibration=calibration(path, data), numerics=numerics)
        verified = compiled.verify(per_layer=per_layer)
        profile = compiled.profile()
    except mcucompile.CompileError as e:
        return Row(path.stem, board, False, error=f"{e.code} {e.what}")
    return Row(
        network=path.stem,
        board=board,
        equal=verified.ok,
        samples=verified.over_serial,
        arena=compiled.program.arena_nbytes,
        bound=compiled.program.arena_lower_bound,
        stack=verified.stack_nbytes,
        flash=verified.firmware.library_flash_nbytes,
        code=verified.firmware.library_code_nbytes,
        instructions=profile.total,
        error=str(verified.mismatch or ""),
    )


def run_network(path: Path, data: Path, boards: Iterable[str], numerics: str, per_layer: bool) -> list[Row]:
    return [run(path, data, board, numerics, per_layer) for board in boards]


def line(row: Row) -> str:
    if row.error:
        return f"{row.network:28} {row.board:9} FAILED {row.error}"
    figures = f"{row.arena:8,} {row.bound:8,} {row.stack:6,} {row.flash:10,} {row.code:7,} {row.instructions:12,}"
    return f"{row.network:28} {row.board:9} {'yes' if row.equal else 'NO':>6} {row.samples:>4} {figures}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="names without .onnx (default: all in the folder)")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--boards", default=",".join(b for b in list_boards() if load_board(b).emulator))
    parser.add_argument("--numerics", default="onnx")
    parser.add_argument("--per-layer", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    args = parser.parse_args()
    names = args.networks or sorted(p.stem for p in args.models.glob("*.onnx"))
    boards = args.boards.split(",")
    heads = f"{'arena':>8} {'bound':>8} {'stack':>6} {'flash':>10} {'code':>7} {'instructions':>12}"
    print(f"{'network':28} {'board':9} {'equal':>6} {'runs':>4} {heads}", flush=True)
    rows: list[Row] = []
    with ProcessPoolExecutor(args.jobs) as pool:
        tasks = [
            pool.submit(run_network, args.models / f"{n}.onnx", args.data, boards, args.numerics, args.per_layer)
            for n in names
        ]
        for task in tasks:
            rows += task.result()
            print("\n".join(line(r) for r in rows[-len(boards) :]), flush=True)
    if args.json:
        args.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")
    return 0 if all(r.equal and not r.error for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
