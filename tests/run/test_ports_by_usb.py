"""Which serial port is a board's: never a guess, and what is there is told."""

from __future__ import annotations

import errno
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from mcucompile.errors import CompileError
from mcucompile.run import serial as line
from mcucompile.run.ports import board_ports, find_port, serial_number_of
from mcucompile.target.board import load_board

BOARD = load_board("nucleo-f446re")


def port(device: str, vendor: int | None = None, product: int | None = None, serial: str | None = None) -> ListPortInfo:
    found = ListPortInfo(device)
    found.vid, found.pid, found.serial_number, found.description = vendor, product, serial, "a device"
    return found


ST_LINK = port("/dev/ttyACM0", 0x0483, 0x374B, "066AFF")
SECOND = port("/dev/ttyACM1", 0x0483, 0x374E, "0031")
ADAPTER = port("/dev/ttyUSB0", 0x0403, 0x6001)
BUILT_IN = port("/dev/ttyS0")


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: request.param)


def refused(board: str = "nucleo-f446re") -> CompileError:
    with pytest.raises(CompileError) as caught:
        find_port(load_board(board))
    assert caught.value.code == "E0610"
    assert "--port" in caught.value.fix
    return caught.value


@pytest.mark.parametrize("plugged", [[ADAPTER, ST_LINK, BUILT_IN]], indirect=True)
def test_the_only_one_of_the_board(plugged: None) -> None:
    assert find_port(BOARD) == "/dev/ttyACM0"
    assert serial_number_of("/dev/ttyACM0") == "066AFF"
    assert serial_number_of("/dev/ttyS0") == ""


@pytest.mark.parametrize("plugged", [[SECOND, ST_LINK, ADAPTER]], indirect=True)
def test_two_that_may_be_it(plugged: None) -> None:
    assert [p.device for p in board_ports(BOARD)] == ["/dev/ttyACM0", "/dev/ttyACM1"]
    error = refused()
    assert "ttyACM0 (0483:374b" in error.why and "ttyACM1" in error.why
    assert "ttyUSB0" not in error.why


def test_two_of_a_kind_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    twins = [port("/dev/ttyACM0", 0x0483, 0x374B, "066AFF"), port("/dev/ttyACM1", 0x0483, 0x374B, "066B00")]
    monkeypatch.setattr(list_ports, "comports", lambda: [*twins, ADAPTER])
    first, second = refused().why.splitlines()
    assert first == "/dev/ttyACM0 (0483:374b a device, serial number 066AFF)"
    assert "066B00" in second and "066AFF" not in second
    monkeypatch.setattr(list_ports, "comports", lambda: [ADAPTER])
    assert refused().why == "/dev/ttyUSB0 (0403:6001 a device)", "it has no number"


def test_a_link_to_the_port_is_the_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device, link = tmp_path / "ttyACM0", tmp_path / "usb-STMicroelectronics_STM32_STLink_066AFF-if02"
    device.touch()
    link.symlink_to(device)
    monkeypatch.setattr(list_ports, "comports", lambda: [ADAPTER, port(str(device), 0x0483, 0x374B, "066AFF")])
    assert serial_number_of(str(link)) == serial_number_of(str(device)) == "066AFF"
    assert serial_number_of(str(tmp_path / "ttyACM1")) == ""


@pytest.mark.parametrize("plugged", [[ADAPTER, BUILT_IN]], indirect=True)
def test_others_are_listed(plugged: None) -> None:
    assert "ttyUSB0" in refused().why
    assert "adapter" in refused("blue-pill").fix, "it has no serial port on its own USB"


@pytest.mark.parametrize("plugged", [[], [BUILT_IN]], indirect=True)
def test_nothing_on_usb(plugged: None) -> None:
    assert "data lines" in refused().why


def test_a_board_without_ids_is_on_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: [ST_LINK])
    assert board_ports(replace(BOARD, usb=())) == []


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "dialout"), (errno.EBUSY, "other program"), (errno.ENOENT, "cable")]
)
def test_why_a_port_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise line.serial.SerialException(number, "could not open port")

    monkeypatch.setattr(line.serial, "serial_for_url", refuse)
    with pytest.raises(CompileError) as caught:
        line.SerialPort("/dev/ttyACM0")
    assert caught.value.code == "E0609"
    assert words in caught.value.fix


def test_a_port_that_does_not_take_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise termios.error(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(line.serial, "serial_for_url", refuse)
    with pytest.raises(CompileError) as caught:
        line.SerialPort("/dev/ttyACM0", parity="E")
    assert caught.value.code == "E0609"


def test_a_port_that_another_program_holds() -> None:
    import os
    import pty

    master, slave = pty.openpty()
    first = line.SerialPort(os.ttyname(slave))
    with pytest.raises(CompileError) as caught:
        line.SerialPort(os.ttyname(slave))
    assert caught.value.code == "E0609"
    assert "other program" in caught.value.fix
    first.close()
    os.close(slave)
    os.close(master)


WITHOUT_TERMIOS = """
import sys
import serial, serial.tools.list_ports  # whose part for this system needs it; that for Windows does not
sys.modules["termios"] = None
import mcucompile.cli
from mcucompile.errors import CompileError
from mcucompile.run.serial import SerialPort
try:
    SerialPort("/dev/no-such-port")
except CompileError as e:
    print(e.code)
"""


def test_a_system_without_termios() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TERMIOS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "E0609\n"), done.stderr


def test_a_port_that_is_no_file() -> None:
    """A URL of pyserial's whose port has nothing to select on, as ports of Windows have not."""
    port = line.SerialPort("loop://")
    start = time.monotonic()
    assert port.read(0.2) == b""
    assert 0.2 <= time.monotonic() - start < 5
    port.write(b"echo")
    start = time.monotonic()
    assert port.read(30.0) == b"echo"
    assert time.monotonic() - start < 5
    port.close()
