"""What choosing kernels aims at: how cycles, flash and RAM weigh against each other."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """How much one per cent more cycles, flash or RAM weighs, relative to the least possible; limits are in bytes.

    `flash_per_ram`: how many bytes of flash weigh at least as much as one of RAM. Without that, a network with far more
    weights than activations would keep them large for the sake of a little scratch.
    """

    cycles: float
    flash: float
    ram: float
    flash_per_ram: float = math.inf
    flash_limit: int | None = None
    ram_limit: int | None = None


SPEED = Goal(cycles=1.0, flash=0.05, ram=0.3)
SIZE = Goal(cycles=0.3, flash=1.0, ram=0.5, flash_per_ram=8.0)  # parts have about so many times more of it


@dataclass(frozen=True)
class Scale:
    """The least cycles, flash and RAM: what the goal's weights refer to.

    Flash is that of plain weights. If it were that of encoded ones, a network with weights of few bits would be given
    slower kernels for the sake of their code, which would weigh more in it.
    """

    cycles: float
    flash: float
    ram: float


@dataclass(frozen=True)
class Weights:
    """What a cycle, a byte of flash and a byte of RAM add to the cost of a choice."""

    cycle: float
    flash: float
    ram: float

    @classmethod
    def of(cls, goal: Goal, scale: Scale) -> Weights:
        ram = goal.ram / scale.ram
        return cls(goal.cycles / scale.cycles, max(goal.flash / scale.flash, ram / goal.flash_per_ram), ram)
