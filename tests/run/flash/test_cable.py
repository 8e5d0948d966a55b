"""The whole way to a board, and the cable that is pulled out on it: never a hang, never a false pass."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cable import Cable, plugged_in
from machine import EmptyMachine
from qemu_probe import QemuProbe

import mcucompile
from mcucompile import Compiled, How, Samples, api
from mcucompile import verify as verification
from mcucompile.errors import CompileError
from mcucompile.run import flash as flashing
from mcucompile.run.build import build
from mcucompile.run.flash import running
from mcucompile.run.interface import Interface
from mcucompile.run.protocol import Command
from mcucompile.target.board import Board

DIGITS = Path(__file__).parents[3] / "examples" / "digits"
MOMENTS = 25  # of each kind
LONGEST_SECONDS = 30.0
PATIENCE_SECONDS = 10.0  # with an emulated board on a busy machine, that only silence may exhaust
CLEAR = {"E0605", "E0606", "E0607", "E0609", "E0807"}


@pytest.fixture(scope="module")
def compiled(board: Board) -> Compiled:
    return mcucompile.compile(DIGITS / "digits.onnx", board, calibration=DIGITS / "calibration.npz")


@pytest.fixture
def images() -> Samples:
    with np.load(DIGITS / "test.npz") as data:
        return Samples({"image": data["image"][:2]})


@pytest.fixture
def cable(machine: EmptyMachine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cable]:
    with plugged_in(machine) as cable:
        monkeypatch.setattr(QemuProbe, "connections", {"emulated": cable.connect})
        yield cable


def test_verify_programs_a_board_that_runs_something_else(compiled: Compiled, images: Samples, cable: Cable) -> None:
    told: list[tuple[str, int, int]] = []
    first = compiled.verify(
        images, port=cable.url, how=How(), progress=lambda *n: told.append(("verifying", *n)),
        programming=lambda *n: told.append(("programming", *n)),
    )  # fmt: skip
    assert first.ok
    assert told[0] == ("programming", 0, 0), "until pyOCD knows how much there is"
    assert told[-4][0] == "programming" and told[-4][1] == told[-4][2] > 0
    assert told[-3:] == [("verifying", n, 2) for n in (0, 1, 2)]
    assert first.flashed is not None
    assert first.flashed.is_read_back
    assert first.flashed.sha256 == first.elf_sha256
    unprogrammed(compiled, images, cable)
    again = compiled.verify(images, port=cable.url, how=How())
    assert again.ok
    assert again.flashed is None, "it runs that program already"
    assert again.elf_sha256 == first.elf_sha256, "built in another folder"
    other = compiled.verify(images, port=cable.url, how=How(), per_layer=True)
    assert other.ok
    assert other.flashed is not None, "firmware with hooks is another program"


def unprogrammed(compiled: Compiled, images: Samples, cable: Cable) -> None:
    """The same board, and a file that does not say how it is programmed: what it runs is told, and what can be done."""
    compiled = replace(compiled, board=replace(compiled.board, flashing=None))
    for act in (
        lambda: compiled.verify(images, port=cable.url, how=How()),
        lambda: compiled.profile(port=cable.url, how=How()),
    ):
        with pytest.raises(CompileError) as caught:
            act()
        assert caught.value.code == "E0607"
        assert "[flash]" in caught.value.fix and "`mcucompile flash`" not in caught.value.fix


def pulled_out(cable: Cable, act: Callable[[], object], moment: object) -> CompileError:
    """The cable is cut meanwhile, and that is what the error says."""
    start = time.monotonic()
    with pytest.raises(CompileError) as caught:
        act()
    assert time.monotonic() - start < LONGEST_SECONDS, moment
    assert cable.is_cut or cable.is_silent, moment
    assert caught.value.code in CLEAR, (moment, str(caught.value))
    assert caught.value.fix, moment
    return caught.value


def uncut(machine: EmptyMachine, act: Callable[[Cable], object]) -> dict[str, int]:
    """How many bytes go over each line."""
    with plugged_in(machine) as cable:
        assert act(cable)
    return cable.counts


SILENT = {Command.HELLO: "E0607", Command.RUN: "E0605", Command.READ: "E0605"}


def test_a_wire_that_comes_off(
    compiled: Compiled, images: Samples, machine: EmptyMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The port stays open, and nothing comes any more. Where that begins with the first question, the board is
    programmed, as it may have another program, and does not answer after that, either.
    """
    monkeypatch.setattr(running, "ASK_SECONDS", PATIENCE_SECONDS)

    def verified(cable: Cable) -> bool:
        monkeypatch.setattr(QemuProbe, "connections", {"emulated": cable.connect})
        return compiled.verify(images, port=cable.url, how=How()).ok

    with plugged_in(machine) as whole:
        assert verified(whole)
    monkeypatch.setattr(flashing, "START_SECONDS", 2.0)
    for command, code in SILENT.items():
        monkeypatch.setattr(running, "ASK_SECONDS", 1.0 if command == Command.HELLO else PATIENCE_SECONDS)
        with plugged_in(machine, silent_at=command) as cable:
            error = pulled_out(cable, lambda cable=cable: verified(cable), command.name)
        assert error.code == code, command.name
        assert ("--timeout" in error.fix) == (command == Command.RUN), command.name


def test_pulling_the_cable_at_50_moments(
    compiled: Compiled, images: Samples, machine: EmptyMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, interface = compiled.write_library(tmp_path / "written"), Interface.of(compiled.program)
    firmware = build(library, interface, compiled.board, tmp_path / "built", hook=False)
    for module in (verification, api):
        monkeypatch.setattr(module, "build", lambda *_, **__: firmware)
    monkeypatch.setattr(running, "ASK_SECONDS", PATIENCE_SECONDS)

    def verified(cable: Cable) -> bool:
        monkeypatch.setattr(QemuProbe, "connections", {"emulated": cable.connect})
        return compiled.verify(images, port=cable.url, how=How()).ok

    def flashed(cable: Cable) -> object:
        monkeypatch.setattr(QemuProbe, "connections", {"emulated": cable.connect})
        return compiled.flash(How(), port=cable.url)

    # More go over a line than are needed where a machine stops for a second and the host asks again.
    flashing = min(counts["debug"] for counts in [uncut(machine, flashed) for _ in range(2)])
    runs = [uncut(machine, verified) for _ in range(3)]
    serial = min(counts["serial"] for counts in runs)
    assert not any(counts["debug"] for counts in runs), "it needed no programming"
    chance = random.Random(50)
    # Two runs differ by some bytes nevertheless: the last 50 may not be needed.
    for moment in (chance.randrange(serial - 50) for _ in range(MOMENTS)):
        with plugged_in(machine, serial=moment) as cable:
            pulled_out(cable, lambda cable=cable: verified(cable), moment)
    for moment in (chance.randrange(flashing - 50) for _ in range(MOMENTS)):
        with plugged_in(machine, debug=moment) as cable:
            pulled_out(cable, lambda cable=cable: flashed(cable), moment)
    with plugged_in(machine) as again:
        assert verified(again), "after all that the board can still be programmed"
        assert again.counts["debug"] > 0, "it was programmed"
