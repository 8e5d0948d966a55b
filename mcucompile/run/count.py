"""Count executed instructions exactly, on an emulated board.

Under QEMU's `-icount shift=N` every instruction takes 2^N ns of the board's time, so SysTick, which has only 24 bits,
counts instructions. Two runs are put together: at shift 7 an instruction takes two ticks or more, which is exact but
wraps around after some millions of instructions; at shift 0 a tick takes some tens of instructions, which is coarse but
goes on to some hundreds of millions. The coarse count says how often the fine one wrapped around.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..errors import CompileError
from ..target.board import Board
from .build import Firmware
from .device import Ticks, open_device
from .limit import DEFAULT_LIMIT, RunLimit

FINE_SHIFT = 7
COARSE_SHIFT = 0
_WRAP = 2**24
_NS_PER_S = 10**9


@dataclass(frozen=True)
class Counts:
    """Instructions of one run. `steps[k]` belongs to step k; `total` also has the call, the return and what is between.

    With firmware without hooks `steps` is empty and `total` is what the network costs when nobody looks.
    """

    steps: tuple[int, ...]
    total: int


def count_instructions(
    firmware: Firmware, board: Board, inputs: Sequence[bytes], *, limit: RunLimit = DEFAULT_LIMIT
) -> Counts:
    """The instructions of one run with these inputs; the measurement's own cost is subtracted.

    Repeatable, and exact up to 2^24 ticks of shift 0 in each step, at least 500 million instructions; to one to three,
    since where a step begins is a matter of definition. Raises what open_device and Device raise.
    """
    fine, coarse = (_ticks(firmware, board, inputs, shift, limit) for shift in (FINE_SHIFT, COARSE_SHIFT))
    parts = [_combine(f, c, board) for f, c in zip(fine.parts, coarse.parts, strict=True)]
    hook, empty = _combine(fine.hook, 0, board), _combine(fine.empty, 0, board)
    costs = [part - hook for part in parts[:-1]] + [parts[-1] - empty]
    return Counts(by_step(firmware, costs[:-1]), sum(costs))


def _ticks(firmware: Firmware, board: Board, inputs: Sequence[bytes], shift: int, limit: RunLimit) -> Ticks:
    with open_device(firmware, board, icount=shift, limit=limit) as device:
        return device.ticks(inputs)


def _instructions(ticks: int, shift: int, board: Board) -> Fraction:
    assert board.emulator is not None
    return Fraction(ticks * _NS_PER_S, board.emulator.systick_hz << shift)


def _combine(fine: int, coarse: int, board: Board) -> int:
    """The number of instructions whose fine count is `fine` modulo 2^24, and whose coarse count is `coarse`."""
    about = _instructions(coarse, COARSE_SHIFT, board)
    wraps = round((about - _instructions(fine, FINE_SHIFT, board)) / _instructions(_WRAP, FINE_SHIFT, board))
    return round(_instructions(fine + max(0, wraps) * _WRAP, FINE_SHIFT, board))


def by_step(firmware: Firmware, costs: Sequence[int]) -> tuple[int, ...]:
    """Adds up the costs of the calls of the hook that belong to one step, for each step."""
    if not firmware.hooked:
        return ()
    events = firmware.interface.events
    if len(costs) != len(events):
        raise CompileError("E0608", f"the network reported {len(costs)} outputs of steps, not {len(events)}")
    steps = [0] * (max((step for step, _, _ in events), default=-1) + 1)
    for (step, _, _), cost in zip(events, costs, strict=True):
        steps[step] += cost
    return tuple(steps)
