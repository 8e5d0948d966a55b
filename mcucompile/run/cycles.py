"""Instructions and estimated cycles of every step, on an emulated board, by a plugin of the emulator.

The firmware is the one without hooks, so what is counted is what the network costs when nobody looks: the plugin knows
the functions of the steps by their addresses. How cycles are estimated says qemu_plugin/cycles.h.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from ..errors import CompileError
from ..target.board import Board
from .build import Firmware
from .device import open_device
from .limit import DEFAULT_LIMIT, RunLimit
from .plugin import HEADERS, Plugin, build_plugin

_MODELS = {
    "cortex-m0": "m0",
    "cortex-m0plus": "m0plus",
    "cortex-m3": "m3",
    "cortex-m4": "m4",
    "cortex-m4f": "m4",
    "cortex-m7": "m7",
    "cortex-m33": "m33",
    "cortex-m55": "m55",
}


@dataclass(frozen=True)
class Cost:
    """Executed instructions, exactly, and estimated cycles."""

    instructions: int
    cycles: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.instructions + other.instructions, self.cycles + other.cycles)


@dataclass(frozen=True)
class Costs:
    """One run of a network: its steps, and what runs between them."""

    steps: tuple[Cost, ...]
    overhead: Cost

    @property
    def total(self) -> Cost:
        return sum(self.steps, self.overhead)


def cycle_plugin() -> Plugin:
    """The plugin, or why there is none."""
    return build_plugin(HEADERS / "profile.c", *sorted(HEADERS.glob("[cd]*.c")))


def measure(
    firmware: Firmware,
    board: Board,
    functions: Sequence[str],
    inputs: Sequence[bytes],
    *,
    limit: RunLimit = DEFAULT_LIMIT,
) -> Costs:
    """The costs of one run with these inputs. `functions`: the C function of every step, in their order.

    Needs firmware without hooks, and `cycle_plugin()`. Raises what open_device and Device raise.
    """
    at = {name: address for name, (address, _) in function_symbols(firmware.elf).items()}
    with tempfile.TemporaryDirectory(prefix="mcucompile-cycles-") as folder:
        steps, report = Path(folder) / "steps", Path(folder) / "report"
        steps.write_text("".join(f"{at[name]:x}\n" for name in functions))
        run = f"{at[f'{firmware.interface.name}_run']:#x}"
        options = cycle_plugin().options(
            {"core": _MODELS[board.core.name], "run": run, "steps": steps, "report": report}
        )
        with open_device(firmware, board, options=options, limit=limit) as device:
            device.run_batch([inputs])
        return _costs(report.read_text().splitlines(), len(functions))


def _costs(lines: Sequence[str], step_count: int) -> Costs:
    if len(lines) != 1:
        raise CompileError("E0608", f"the emulator saw {len(lines)} runs of the network instead of one")
    exceptions, unknown, *numbers = map(int, lines[0].split())
    costs = [Cost(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    if exceptions or unknown or len(costs) != step_count + 1 or any(c.instructions == 0 for c in costs):
        raise CompileError(
            "E0608",
            "the run cannot be divided into the network's steps",
            why=f"{exceptions} interrupts, {unknown} unknown instructions, "
            f"{sum(c.instructions == 0 for c in costs)} of {step_count} steps did not run",
        )
    return Costs(tuple(costs[1:]), costs[0])


def function_symbols(elf: Path) -> dict[str, tuple[int, int]]:
    """Address and bytes of code of each function, by its name."""
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        functions = (s for s in table.iter_symbols() if s["st_info"]["type"] == "STT_FUNC")
        return {s.name: (s["st_value"], s["st_size"]) for s in functions}
