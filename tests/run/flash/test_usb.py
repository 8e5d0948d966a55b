"""Why there is no debug probe, by what Linux shows of USB."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs import job

from mcucompile.errors import CompileError
from mcucompile.run.flash import openocd, usb
from mcucompile.target.board import load_board
from mcucompile.target.flashing import UsbId

BOARD = load_board("nucleo-f446re")


class Bus:
    """/sys/bus/usb/devices and /dev/bus/usb of a machine."""

    def __init__(self, folder: Path) -> None:
        self.sysfs, self.nodes = folder / "devices", folder / "nodes"
        (self.nodes / "001").mkdir(parents=True)
        (self.sysfs / "1-0:1.0").mkdir(parents=True)  # an interface: no ids of its own

    def plug(self, number: int, vendor: int, product: int, name: str, serial: str = "") -> Path:
        device = self.sysfs / f"1-{number}"
        device.mkdir()
        texts = {
            "idVendor": f"{vendor:04x}\n",
            "idProduct": f"{product:04x}\n",
            "busnum": "1\n",
            "devnum": f"{number}\n",
        }
        texts |= {"product": f"{name}\n"} | ({"serial": f"{serial}\n"} if serial else {})
        for file, text in texts.items():
            (device / file).write_text(text)
        node = self.nodes / "001" / f"{number:03}"
        node.write_bytes(b"")
        return node

    def error(self) -> CompileError:
        return usb.no_probe(BOARD, self.sysfs, self.nodes)


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path)


def test_nothing_plugged_in(bus: Bus) -> None:
    bus.plug(1, 0x1D6B, 0x0002, "xHCI Host Controller")
    error = bus.error()
    assert error.code == "E0802"
    assert "data lines" in error.why


def test_a_probe_that_may_not_be_opened(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    node = bus.plug(5, 0x0483, 0x374B, "STM32 STLink")
    monkeypatch.setattr(usb.os, "access", lambda path, mode: path != node)
    error = bus.error()
    assert error.code == "E0806"
    assert error.where == str(node)
    assert 'ATTR{idVendor}=="0483", ATTR{idProduct}=="374b"' in error.fix
    assert "STM32 STLink" in error.what


def test_rules_for_two_probes_are_two_files() -> None:
    """What is pasted for the second one leaves the first one's rule as it is."""
    files = [usb.udev_rule(UsbId(0x0483, product)).split("| sudo tee ")[1].split()[0] for product in (0x374B, 0x374E)]
    assert files == [f"/etc/udev/rules.d/60-mcucompile-0483-{product}.rules" for product in ("374b", "374e")]


def test_a_probe_that_pyocd_does_not_take(bus: Bus) -> None:
    bus.plug(5, 0x0483, 0x3748, "STM32 STLink")
    error = bus.error()
    assert error.code == "E0802"
    assert "0483:3748 STM32 STLink" in error.why


def test_a_jlink_needs_its_makers_software(bus: Bus) -> None:
    bus.plug(5, 0x1366, 0x1015, "J-Link")
    error = bus.error()
    assert error.code == "E0802"
    assert "SEGGER" in error.fix and "--engine openocd" in error.fix


def test_a_device_that_is_unplugged_meanwhile(bus: Bus) -> None:
    bus.plug(5, 0x0483, 0x374B, "STM32 STLink")
    (bus.sysfs / "1-5" / "idVendor").unlink()
    assert bus.error().code == "E0802"


def test_another_system_shows_nothing(tmp_path: Path) -> None:
    assert usb.usb_devices(tmp_path / "none", tmp_path) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("066AFF01", ["066AFF01"]),
        ("66aff01", ["066AFF01"]),
        ("0066aff0", ["066AFF01", "066aff02"]),
        ("FF02", ["066aff02"]),
        ("0FF02", []),
        ("000683012345", ["683012345"]),
        ("00683", ["683012345", "6830123456"]),
        ("3456", ["6830123456"]),
        ("b1", []),
        ("0", ["066AFF01", "066aff02", "683012345", "6830123456"]),
    ],
)
def test_a_probe_that_is_named(wanted: str, found: list[str]) -> None:
    assert usb.named(wanted, ["066AFF01", "066aff02", "683012345", "6830123456", ""]) == found


def test_openocd_gets_the_whole_id(bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openocd, "debug_probes", lambda board: usb.debug_probes(board, bus.sysfs, bus.nodes))
    bus.plug(4, 0x1D6B, 0x0002, "xHCI Host Controller", "0000:00:14.0")
    bus.plug(5, 0x0483, 0x374B, "STM32 STLink", "066AFF535248")
    bus.plug(6, 0x1366, 0x1015, "J-Link", "000683012345")
    bus.plug(7, 0x0483, 0x3748, "STM32 STLink")
    told = {"66aff5": "066AFF535248", "683012345": "000683012345", "14.0": "14.0", "5": "5", "0": "0"}
    for wanted, whole in told.items():
        (folder := tmp_path / wanted).mkdir()
        assert f"adapter serial {whole}" in openocd.arguments(job(folder, "nucleo-f446re", probe=wanted))
