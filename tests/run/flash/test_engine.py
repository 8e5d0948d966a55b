"""What several engines hold a part at."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from jobs import job

from mcucompile.errors import CompileError
from mcucompile.run import flash as flashing
from mcucompile.run.build import Firmware
from mcucompile.run.flash import How, ensure_programmed
from mcucompile.run.flash.engine import check_chip_id
from mcucompile.target.board import load_board

THIS, OTHER = b"this one", b"another1"
CLOSED = CompileError("E0609", "the serial port cannot be opened")


@pytest.mark.parametrize("board", ["stm32f4-discovery", "netduino-plus-2"])
def test_ids_of_all_revisions(tmp_path: Path, board: str) -> None:
    """0x413 by ST's RM0090; parts of revision A read 0x411 by the errata sheet ES0182, with 0x2000 as the revision."""
    made = job(tmp_path, board)
    for word in (0x10076413, 0x20006411):
        check_chip_id(made, word)
    with pytest.raises(CompileError) as caught:
        check_chip_id(made, 0x10006421)
    assert caught.value.code == "E0805"


def programmed(monkeypatch: pytest.MonkeyPatch, *answers: bytes | CompileError | None, seconds: float = 10.0) -> object:
    """What ensure_programmed gives for a board that answers so, time after time; the last answer is for good."""
    left = iter(answers)

    def answer() -> bytes | None:
        found = next(left, answers[-1])
        if isinstance(found, CompileError):
            raise found
        return found

    monkeypatch.setattr(flashing, "running_program", lambda *_: answer())
    monkeypatch.setattr(flashing, "flash", lambda *_: "flashed")
    monkeypatch.setattr(flashing, "START_SECONDS", seconds)
    fields: dict[str, Any] = {field.name: None for field in dataclasses.fields(Firmware)}
    firmware = Firmware(**{**fields, "program_id": THIS})
    return ensure_programmed(firmware, load_board("nucleo-f446re"), How(), "port")


def test_a_program_that_takes_its_time_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert programmed(monkeypatch, THIS) is None
    assert programmed(monkeypatch, OTHER, THIS) == "flashed"
    assert programmed(monkeypatch, OTHER, CLOSED, None, None, THIS) == "flashed"


@pytest.mark.parametrize(("answer", "code"), [(OTHER, "E0607"), (None, "E0607"), (CLOSED, "E0609")])
def test_a_program_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | CompileError | None, code: str
) -> None:
    with pytest.raises(CompileError) as caught:
        programmed(monkeypatch, OTHER, answer, seconds=0.5)
    assert caught.value.code == code
