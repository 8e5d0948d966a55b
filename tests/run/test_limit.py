"""How long a run may take, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import mcucompile
from mcucompile.run.limit import RunLimit

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


@pytest.mark.parametrize(
    ("cycles", "clock_hz", "seconds"),
    [
        (20_000_000, 80_000_000, 7.5),  # 0.25 s
        (20_000_000, 16_000_000, 17.5),
        (1_000_000_000, 16_000_000, 120.0),  # more than a minute, which no limit below that of any run is for
        (0, 16_000_000, 120.0),  # not estimated
        (20_000_000, 0, 120.0),
    ],
)
def test_a_boards_clock_narrows_it(cycles: int, clock_hz: int, seconds: float) -> None:
    assert RunLimit(120.0, cycles).at(clock_hz) == pytest.approx(seconds)


def test_it_is_made_of_all_steps_unless_the_user_says_more() -> None:
    program = mcucompile.compile(DIGITS / "digits.onnx", "qemu-m4", calibration=DIGITS / "calibration.npz").program
    limit = RunLimit.of(program)
    assert limit == RunLimit(120.0, sum(step.cycles for step in program.steps))
    assert 5.0 < limit.at(16_000_000) < 10.0, "a small network does not let wait for minutes"
    assert RunLimit.of(program, 77.0).at(16_000_000) == 77.0
    large = replace(program, steps=tuple(replace(step, macs=10_000_000, cycles=1e9) for step in program.steps))
    assert RunLimit.of(large).at(16_000_000) == pytest.approx(100.0 * len(program.steps)), "as long as there is work"
