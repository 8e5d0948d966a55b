"""ST's bootloader protocol, against a part that follows it to the letter."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fake_bootloader import ORIGIN, FakeBootloader, connected

from mcucompile.errors import CompileError
from mcucompile.run.build import Firmware
from mcucompile.run.flash import How, ensure_programmed, stm32_uart
from mcucompile.run.flash.engine import Job, Written, no_progress
from mcucompile.run.flash.image import Image
from mcucompile.run.flash.stm32_uart import Bootloader
from mcucompile.target.board import load_board

BOARD = load_board("nucleo-f446re")
PROGRAM = bytes(range(1, 201)) * 100  # 20,000 bytes: they end within the second sector of 16 KB
IMAGE = Image(Path("firmware.elf"), "0" * 64, ((ORIGIN, PROGRAM[:300]), (ORIGIN + 512, PROGRAM[300:])))


def limit(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    bootloader = partial(Bootloader, sync_seconds=seconds, answer_seconds=seconds)
    monkeypatch.setattr(stm32_uart, "Bootloader", bootloader)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a busy machine takes; tests of what is silent have less."""
    limit(monkeypatch, 10.0)


def job(part: FakeBootloader, image: Image = IMAGE) -> Job:
    assert BOARD.flashing is not None
    return Job(image, BOARD, BOARD.flashing, no_progress, port=part.port)


def programmed(part: FakeBootloader) -> Written:
    with connected(part):
        return stm32_uart.program(job(part))


def refused(part: FakeBootloader) -> CompileError:
    start = time.monotonic()
    with pytest.raises(CompileError) as caught:
        programmed(part)
    assert time.monotonic() - start < 30
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("is_extended", [True, False])
def test_program(is_extended: bool) -> None:
    part = FakeBootloader(is_extended=is_extended)
    written = programmed(part)
    assert part.flash[:300] == PROGRAM[:300]
    assert part.flash[512 : 512 + len(PROGRAM) - 300] == PROGRAM[300:]
    assert part.flash[300:512] == b"\xff" * 212, "the gap is as erased"
    assert part.flash[2 * 16384 :] == b"\x5a" * (len(part.flash) - 2 * 16384), "what is not needed stays"
    assert (part.erased, written.erased_nbytes, written.is_read_back) == ([0, 1], 2 * 16384, True)
    assert part.started_at == 0
    assert not part.problems


def test_a_part_that_takes_its_time() -> None:
    assert programmed(FakeBootloader(is_busy=True)).is_read_back


class Line:
    """In memory: what is sent is answered at once, and there is no more to wait for."""

    def __init__(self) -> None:
        self.answers = b""

    def write(self, data: bytes) -> None:
        for byte in data:
            self.take(byte)

    def take(self, byte: int) -> None:
        raise NotImplementedError

    def read(self, timeout: float) -> bytes:
        answers, self.answers = self.answers, b""
        return answers

    def close(self) -> None: ...


class LateLine(Line):
    """To a bootloader whose first answer comes when `late` more bytes were sent, and that knows one command."""

    def __init__(self, late: int) -> None:
        super().__init__()
        self.late, self.received, self.refused = late, b"", 0

    def take(self, byte: int) -> None:
        self.received += bytes([byte])
        if len(self.received) == self.late + 1:
            self.answers += b"\x79"
        commands = self.received[1:]
        if len(self.received) == self.late + 1:
            for i in range(1, len(commands), 2):
                self.answer(commands[i - 1 : i + 1])
        elif len(self.received) > self.late + 1 and len(commands) % 2 == 0:
            self.answer(commands[-2:])

    def answer(self, command: bytes) -> None:
        is_get = command == b"\x00\xff"
        self.refused += not is_get
        self.answers += b"\x79\x01\x31\x00\x79" if is_get else b"\x1f"


@pytest.mark.parametrize(("late", "refused"), [(0, 0), (1, 2), (2, 2)])
def test_a_first_answer_that_comes_late(late: int, refused: int) -> None:
    """What was sent again meanwhile is no half of the first command, by whose refusal the part would seem locked."""
    line = LateLine(late)
    boot = Bootloader(line, sync_seconds=0.01, answer_seconds=0.01)
    boot.sync()
    assert boot.commands() == b"\x00"
    assert line.refused == refused
    assert len(line.received) % 2 == 1, "the bootloader waits for a command"


class BusyLine(Line):
    """To a part that says for ever that it is busy."""

    def take(self, byte: int) -> None: ...

    def read(self, timeout: float) -> bytes:
        return b"\x76" * 8


def test_a_part_that_is_busy_for_ever() -> None:
    with pytest.raises(TimeoutError, match="busy"):
        Bootloader(BusyLine(), answer_seconds=0.05).write(ORIGIN, b"data")


class NoisyLine(Line):
    """On which something came before anybody asked, and every byte that is sent is answered with `answer`."""

    def __init__(self, noise: bytes, answer: bytes) -> None:
        super().__init__()
        self.answers, self.answer, self.sent = noise, answer, 0

    def take(self, byte: int) -> None:
        self.answers += self.answer
        self.sent += 1


def test_what_came_before_does_not_count() -> None:
    line = NoisyLine(b"hello\x1f", b"\x79")
    Bootloader(line).sync()
    assert line.sent == 1


def test_a_program_is_no_bootloader() -> None:
    """What it sends is taken for neither yes nor no."""
    with pytest.raises(TimeoutError):
        Bootloader(NoisyLine(b"", b"\x00\xfe\x01"), sync_seconds=0.01).sync()


def test_another_part_is_left_alone() -> None:
    part = FakeBootloader(chip_id=0x413)
    error = refused(part)
    assert error.code == "E0805"
    assert "0x413" in error.why and "0x421" in error.why
    assert part.erased == []


def test_readout_protection() -> None:
    part = FakeBootloader(is_protected=True)
    assert refused(part).code == "E0804"
    assert part.erased == []


def test_flash_that_does_not_keep_what_was_written() -> None:
    part = FakeBootloader(is_weak=True)
    error = refused(part)
    assert error.code == "E0808"
    lost = PROGRAM[256 + 7]  # the segment begins where flash does
    assert error.why == f"{ORIGIN + 256 + 7:#010x} holds {lost ^ 0x10:02x}, not {lost:02x}"
    assert part.started_at is None


@pytest.mark.parametrize("commands", [2, 120])
def test_a_part_that_falls_silent(commands: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 0.5)
    part = FakeBootloader(silent_after=commands)
    assert refused(part).code == "E0807"
    assert part.started_at is None


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 0.1)
    part = FakeBootloader()
    with pytest.raises(CompileError) as caught:
        stm32_uart.program(job(part))
    assert caught.value.code == "E0802"
    assert "BOOT0" in caught.value.fix


def test_the_adapter_is_unplugged() -> None:
    """After any number of bytes, from none to all but the last, whatever takes how long."""
    whole = FakeBootloader()
    programmed(whole)
    for received in np.linspace(0, whole.received - 1, 50, dtype=int).tolist():
        part = FakeBootloader(unplugged_after=received)
        assert refused(part).code == ("E0807" if received else "E0605"), received
        assert (part.received, part.started_at) == (received, None)


def test_the_bootloader_is_not_asked_for_its_program(firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first byte must be the one from which it learns the baud rate; after that nothing runs on this fake part."""
    monkeypatch.setattr("mcucompile.run.flash.running.ASK_SECONDS", 0.3)
    monkeypatch.setattr("mcucompile.run.flash.START_SECONDS", 0.5)
    monkeypatch.setattr("mcucompile.run.flash.read_image", lambda elf, board: IMAGE)
    part = FakeBootloader()
    with connected(part), pytest.raises(CompileError) as caught:
        ensure_programmed(firmware, BOARD, How(engine="stm32-uart"), part.port)
    assert part.flash[:300] == PROGRAM[:300]
    assert caught.value.code == "E0607"
    silent = FakeBootloader()
    limit(monkeypatch, 0.1)
    with pytest.raises(CompileError) as caught:
        ensure_programmed(firmware, BOARD, How(engine="stm32-uart"), silent.port)
    assert caught.value.code == "E0802", "neither the bootloader answers nor the program"
    monkeypatch.setattr("mcucompile.run.flash.running_program", lambda port, board: firmware.program_id)
    running = FakeBootloader()
    assert ensure_programmed(firmware, BOARD, How(engine="stm32-uart"), running.port) is None


def test_a_board_whose_file_names_no_sectors_cannot_be_asked() -> None:
    from mcucompile.target.flashing import engines_of

    assert BOARD.flashing is not None
    assert "stm32-uart" not in engines_of(replace(BOARD.flashing, sectors=()))
