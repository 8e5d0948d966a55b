"""The RP2040's firmware on rp2040js, which models the chip's clock tree: from the second boot stage to the answer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import tiny
from elftools.elf.elffile import ELFFile

from mcucompile.run.build import build
from mcucompile.run.device import open_device
from mcucompile.run.tools import find_tool
from mcucompile.target.board import load_board

FLASH = 0x10000000
SCRIPT = Path(__file__).parent / "rp2040.mjs"
SAMPLE = [bytes([1, 2, 3, 255, 5, 128, 7, 8]), bytes([10, 20, 30, 127, 50, 128, 70, 1])]


@pytest.fixture
def node() -> str:
    found = find_tool("node")
    probe = [str(found), "--input-type=module", "-e", "import 'rp2040js'"]
    if not found or subprocess.run(probe, cwd=SCRIPT.parent, capture_output=True).returncode:
        pytest.skip("needs Node.js and, in this folder or one above it, `npm install rp2040js`")
    return str(found)


def flash_image(elf: Path) -> bytes:
    """The flash from its beginning, as a flashing tool would write it."""
    with elf.open("rb") as file:
        parts = [(s["p_paddr"] - FLASH, s.data()) for s in ELFFile(file).iter_segments("PT_LOAD") if s["p_filesz"]]
    image = bytearray(b"\xff" * max(at + len(data) for at, data in parts))
    for at, data in parts:
        image[at : at + len(data)] = data
    return bytes(image)


def test_the_firmware_of_a_pico(arm_compiler: None, node: str, library: Path, tmp_path: Path) -> None:
    board = load_board("raspberry-pi-pico")
    firmware = build(library, tiny.INTERFACE, board, tmp_path / "work")
    (tmp_path / "flash.bin").write_bytes(flash_image(firmware.elf))
    command = [node, str(SCRIPT), str(tmp_path / "flash.bin")]
    with subprocess.Popen(command, cwd=SCRIPT.parent, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = f"socket://127.0.0.1:{int(process.stdout.readline())}"
            with open_device(firmware, board, port=url) as device:
                assert device.info.clock_hz == 125_000_000
                assert device.run(SAMPLE) == list(tiny.expected(*SAMPLE)[1:])
                assert device.latency is not None
            clocks = json.loads(process.stdout.readline())
        finally:
            process.kill()
    assert (clocks["system"], clocks["serial"]) == (125_000_000, 12_000_000)
    assert clocks["baud"] == pytest.approx(board.uart.baud if board.uart else 0, rel=0.01)
