"""A real board, by the one who has it: MCUCOMPILE_BOARD=nucleo-f446re pytest -m board.

MCUCOMPILE_BOARD is a name that `mcucompile boards` lists, or a TOML file; MCUCOMPILE_PORT its serial port where that is
not found by the board's USB id. The board is programmed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mcucompile
from mcucompile.api import Compiled
from mcucompile.profile import RUNS
from mcucompile.run.flash import How
from mcucompile.run.ports import find_port

DIGITS = Path(__file__).parent.parent / "examples" / "digits"

pytestmark = pytest.mark.board


def compiled(effort: str) -> Compiled:
    name = os.environ.get("MCUCOMPILE_BOARD")
    if not name:
        pytest.skip("set MCUCOMPILE_BOARD to the board that is plugged in")
    return mcucompile.compile(DIGITS / "digits.onnx", board=name, calibration=DIGITS / "calibration.npz", effort=effort)


@pytest.fixture
def digits() -> Compiled:
    return compiled("-Os")


@pytest.fixture
def port(digits: Compiled) -> str:
    return os.environ.get("MCUCOMPILE_PORT") or find_port(digits.board)


def test_what_flash_programs_is_what_verify_finds(digits: Compiled, port: str) -> None:
    flashed = digits.flash(How(), port=port)
    found = digits.verify(DIGITS / "test.npz", port=port)
    assert found.ok
    assert found.elf_sha256 == flashed.sha256
    assert found.over_serial == found.samples == 500
    assert not found.note, "the clock is not that of the board's file"
    assert 0 < found.stack_nbytes < found.fit.stack_nbytes


def test_every_layer_is_right(digits: Compiled, port: str) -> None:
    found = digits.verify(per_layer=True, port=port, how=How())
    assert found.ok
    assert found.layers_compared == sum(len(s.outputs) for s in digits.program.steps)


def test_cycles_of_the_layers_make_up_those_of_the_whole(digits: Compiled, port: str) -> None:
    found = digits.profile(port=port, how=How())
    assert found.latency is not None
    assert found.latency.runs == RUNS
    assert 0.9 < sum(layer.cycles or 0 for layer in found.layers) / found.latency.median <= 1.01


def test_another_program_is_programmed_anew_and_the_same_is_not(digits: Compiled, port: str) -> None:
    digits.flash(How(), port=port)
    assert digits.verify(port=port, how=How()).flashed is None
    found = compiled("-O0").verify(port=port, how=How())
    assert found.ok
    assert found.flashed is not None
