"""How long a run of a network may take, before the device counts as hung or the line as cut."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.program import Program

RUN_SECONDS = 120.0
RUN_MACS_PER_SECOND = 100_000  # floats in software at 16 MHz
MARGIN = 10.0  # times the estimate: it knows neither -O0 nor flash behind a small cache
MARGIN_SECONDS = 5.0


@dataclass(frozen=True)
class RunLimit:
    """`seconds` for one run, which may be narrowed where `cycles`, that it is estimated to take, are known.

    A wire that comes off a serial adapter closes no port: only the time tells that nobody is there any more.
    """

    seconds: float = RUN_SECONDS
    cycles: float | None = None

    @classmethod
    def of(cls, program: Program, seconds: float | None = None) -> RunLimit:
        """What the user wants, if anything, and else what the program's size suggests."""
        if seconds is not None:
            return cls(seconds)
        macs = sum(step.macs for step in program.steps)
        return cls(max(RUN_SECONDS, macs / RUN_MACS_PER_SECOND), sum(step.cycles for step in program.steps))

    def at(self, clock_hz: int) -> float:
        """The same in seconds on a processor with this clock. An emulator has a speed of its own: `seconds` are its."""
        if not self.cycles or not clock_hz:
            return self.seconds
        return min(self.seconds, MARGIN_SECONDS + MARGIN * self.cycles / clock_hz)


DEFAULT_LIMIT = RunLimit()
