"""Every compression technique on a real network: what it saves, what it costs, and whether the bits are right.

    python benchmarks/techniques.py --models FOLDER --data FOLDER [ROW ...] [--limit N] [--json FILE]

techniques.toml names the networks and recipes. α is the flash of the network before, divided by the flash after, with
code, codebooks, indices and tables counted as the linker placed them on the Cortex-M4; δ are the instructions before,
divided by those after, counted on M4, M55 and M0. Accuracy is that of the bit-exact reference on the test data, or of
the first N samples; `equal` says on how many of the emulated cores every byte of ten outputs was the reference's.
`changed` counts the units (filters, layers, ranks, ...) that the recipe changed, – where there is no recipe.

A row that cannot be compiled or measured does not stop the others. The exit code is 1 where a row failed, or where a
core's bytes were not the reference's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import mcucompile
from mcucompile.data import Samples
from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Array
from mcucompile.metrics import accuracy
from mcucompile.passes.calibrate import runner
from mcucompile.reference import quantized_inputs
from mcucompile.show import say, table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "accuracy"))
from cases import CASES, Case  # the folder is not a package

ROOT = Path(__file__).parent.parent
TECHNIQUES = ROOT / "benchmarks" / "techniques.toml"
COUNTED = ("qemu-m4", "qemu-m55", "qemu-m0")
BOARDS = (*COUNTED, "qemu-m3", "qemu-m7", "qemu-m33")
COLUMNS = (
    *("row", "technique", "network", "changed", "flash before", "after", "α", "δ M4", "δ M55", "δ M0"),
    *("arena before", "after", "float %", "before %", "after %", "equal"),
)


@dataclass(frozen=True)
class Own(Case):
    """A network of the repository, with its data beside it, whose inputs are called `image`."""

    def calibration_inputs(self, folder: Path) -> Array:
        with np.load(folder / f"{self.calibration}.npz") as data:
            return self.inputs(data["image"])

    def test_set(self, folder: Path) -> tuple[Array, Array]:
        (name,) = self.tests
        with np.load(folder / f"{name}.npz") as data:
            return self.inputs(data["image"]), np.asarray(data["y"])


OWN = {"binary": Own("binary", "calibration", ("test",), points=0.0)}


@dataclass(frozen=True)
class Technique:
    """A row of the table. `options` and `before` are keywords of `mcucompile.compile`."""

    row: str
    title: str
    network: str
    passes: str
    options: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    retrained: str = ""


@dataclass(frozen=True)
class Compiled:
    """One network, compiled one way: bytes on the M4, instructions by board, share of right answers."""

    flash: int
    constants: int
    arena: int
    instructions: dict[str, int]
    accuracy: float


@dataclass(frozen=True)
class Outcome:
    """A technique's row, measured; accuracies are shares. `changed` is None where there is no recipe."""

    technique: Technique
    changed: int | None
    before: Compiled
    after: Compiled
    float_accuracy: float
    samples: int
    equal: dict[str, bool]

    @property
    def alpha(self) -> float:
        return self.before.flash / self.after.flash

    @property
    def is_equal(self) -> bool:
        return bool(self.equal) and all(self.equal.values())

    def delta(self, board: str) -> float:
        return self.before.instructions[board] / self.after.instructions[board]


@dataclass(frozen=True)
class Folders:
    """Where the networks and the data are, and how many test samples to take."""

    models: Path
    data: Path
    limit: int | None

    def of(self, network: str) -> Folders:
        own = ROOT / "examples" / network
        return Folders(own, own, self.limit) if network in OWN else self


def main(arguments: Sequence[str] | None = None) -> int:
    args = parsed(arguments)
    console = Console(width=None if sys.stdout.isatty() else 240)
    folders = Folders(args.models, args.data, args.limit)
    found: list[Outcome] = []
    failed: list[str] = []
    try:
        for t in techniques():
            if not args.rows or t.row in args.rows:
                measure(t, folders, found, failed, console)
    finally:  # hours of measuring are not thrown away
        report(found, console)
        if args.json:
            args.json.write_text(json.dumps([as_json(o) for o in found], indent=1) + "\n")
    for text in failed:
        print(text, file=sys.stderr)
    return 0 if found and not failed else 1


def measure(t: Technique, folders: Folders, found: list[Outcome], failed: list[str], console: Console) -> None:
    """Add the row to what was found, and to what failed where it did, or where a core's bytes differ."""
    try:
        outcome = measured(t, folders)
    except (CompileError, OSError) as e:
        failed.append(f"{name_of(t)} failed: {e}")
        say(console, failed[-1])
        return
    found.append(outcome)
    say(console, f"{name_of(t)}: α {outcome.alpha:.2f}")
    if not outcome.is_equal:
        boards = ", ".join(board for board, is_right in outcome.equal.items() if not is_right)
        failed.append(f"{name_of(t)} failed: bytes differ from the reference's on {boards}")


def report(found: Sequence[Outcome], console: Console) -> None:
    console.print(table("compression techniques", COLUMNS, map(line, found)))
    for t in (o.technique for o in found if o.technique.retrained):
        say(console, f"{t.row} {t.title}: with retraining {t.retrained}; without, as above")


def name_of(t: Technique) -> str:
    return f"{t.row} {t.title} ({t.network})"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("rows", nargs="*", metavar="ROW", help="e.g. P1 Q7; all by default")
    p.add_argument("--models", type=Path, required=True, help="folder of the .onnx files")
    p.add_argument("--data", type=Path, required=True, help="folder of the .npz files")
    p.add_argument("--limit", type=int, help="only the first test samples")
    p.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    args = p.parse_args(arguments)
    rows = list(dict.fromkeys(t.row for t in techniques()))
    unknown = [row for row in args.rows if row not in rows]
    if unknown:
        p.error(f"no row {', '.join(unknown)}; the rows: {', '.join(rows)}")
    return args


def techniques() -> list[Technique]:
    return [Technique(**entry) for entry in tomllib.loads(TECHNIQUES.read_text())["technique"]]


def measured(t: Technique, folders: Folders) -> Outcome:
    case, where = {**CASES, **OWN}[t.network], folders.of(t.network)
    after = compiled(t.network, case, where, {**t.options, "passes": t.passes})
    before = compiled(t.network, case, where, t.before or t.options)
    return Outcome(
        t, changed(after) if t.passes else None, figures(before, case, where), figures(after, case, where),
        float_accuracy(before, case, where), len(test_set(case, where)[1]),
        {board: is_equal(after, board) for board in BOARDS},
    )  # fmt: skip


def changed(c: mcucompile.Compiled) -> int:
    return sum(len(applied.changes) for applied in c.prepared.applied)


def compiled(network: str, case: Case, folders: Folders, options: dict[str, Any]) -> mcucompile.Compiled:
    model = folders.models / f"{network}.onnx"
    (tensor,) = load(model).graph.inputs
    calibration = case.calibration_inputs(folders.data)
    samples = Samples({tensor.name: calibration.reshape(-1, *tensor.shape)})
    return mcucompile.compile(model, COUNTED[0], calibration=samples, **options)


def figures(c: mcucompile.Compiled, case: Case, folders: Folders) -> Compiled:
    profiles = {board: c.for_board(board).profile() for board in COUNTED}
    return Compiled(
        flash=profiles[COUNTED[0]].firmware.library_flash_nbytes,
        constants=c.program.weight_nbytes,
        arena=c.program.arena_nbytes,
        instructions={board: p.total for board, p in profiles.items()},
        accuracy=accuracy_of(c.prepared.graph, case, folders),
    )


def float_accuracy(c: mcucompile.Compiled, case: Case, folders: Folders) -> float:
    assert c.prepared.real is not None
    return accuracy_of(c.prepared.real, case, folders)


def accuracy_of(graph: Any, case: Case, folders: Folders) -> float:
    inputs, labels = test_set(case, folders)
    (tensor,) = graph.inputs
    stored = quantized_inputs(graph, {tensor.name: inputs.reshape(-1, *tensor.shape)})
    share = accuracy(runner(graph, stored).outputs(stored)[graph.outputs[0]], labels)
    assert share is not None
    return share


@cache
def test_set(case: Case, folders: Folders) -> tuple[Any, Any]:
    inputs, labels = case.test_set(folders.data)
    return inputs[: folders.limit], labels[: folders.limit]


def is_equal(c: mcucompile.Compiled, board: str) -> bool:
    return bool(c.for_board(board).verify().ok)


def line(o: Outcome) -> list[object]:
    shares = [f"{100 * share:.2f}" for share in (o.float_accuracy, o.before.accuracy, o.after.accuracy)]
    return [
        o.technique.row, o.technique.title, o.technique.network, o.changed, o.before.flash, o.after.flash,
        f"{o.alpha:.2f}",
        *(f"{o.delta(board):.2f}" for board in COUNTED), o.before.arena, o.after.arena, *shares,
        f"{sum(o.equal.values())} of {len(o.equal)}",
    ]  # fmt: skip


def as_json(o: Outcome) -> dict[str, Any]:
    return {**asdict(o), "alpha": o.alpha, "delta": {board: o.delta(board) for board in COUNTED}}


if __name__ == "__main__":
    sys.exit(main())
