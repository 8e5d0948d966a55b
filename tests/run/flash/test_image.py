"""What goes into flash, in every form in which tools take it; Intel HEX is read by another implementation."""

from __future__ import annotations

import hashlib
import io
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcucompile.run.build import Firmware
from mcucompile.run.flash.image import Image, read_image
from mcucompile.run.tools import find_tool
from mcucompile.target.board import Board


def image(*segments: tuple[int, bytes]) -> Image:
    return Image(Path("firmware.elf"), "", segments)


@st.composite
def images(draw: st.DrawFn) -> Image:
    """Up to four segments that do not overlap, also across borders of 64 KB."""
    at, segments = draw(st.sampled_from([0, 0x08000000, 0x0800FFF0, 0x10000100])), []
    for _ in range(draw(st.integers(1, 4))):
        data = draw(st.binary(min_size=1, max_size=600))
        segments.append((at, data))
        at += len(data) + draw(st.integers(0, 700))
    return image(*segments)


def flat(segments: list[tuple[int, bytes]]) -> dict[int, int]:
    return {address + i: byte for address, data in segments for i, byte in enumerate(data)}


@given(images())
@example(image((0x0800FEF7, bytes(range(256)) * 2)))
def test_intel_hex_says_the_same(made: Image) -> None:
    intelhex = pytest.importorskip("intelhex", reason="it comes with pyOCD")
    read = intelhex.IntelHex(io.StringIO(made.intel_hex()))
    assert dict(read.todict()) == flat(list(made.segments))
    records = [bytes.fromhex(line[1:]) for line in made.intel_hex().splitlines()]
    ends = [int.from_bytes(r[1:3], "big") + r[0] for r in records if r[3] == 0]
    assert all(end <= 0x10000 for end in ends), "a record that crosses a border of 64 KB begins again below it"


@given(images(), st.sampled_from([4, 256, 1024]))
def test_pages_are_whole_and_hold_everything(made: Image, nbytes: int) -> None:
    pages = list(made.pages(nbytes))
    assert all(address % nbytes == 0 and len(data) == nbytes for address, data in pages)
    bytes_of, wanted = flat(pages), flat(list(made.segments))
    assert {at: bytes_of[at] for at in wanted} == wanted
    assert all(byte == 0xFF for at, byte in bytes_of.items() if at not in wanted)
    assert all(any(address <= at < address + nbytes for at in wanted) for address, _ in pages), "no page for nothing"


def test_gaps_of_a_binary_are_as_erased_flash() -> None:
    assert image((0x100, b"ab"), (0x105, b"c")).binary() == b"ab\xff\xff\xffc"


def test_the_image_of_a_program(firmware: Firmware, board: Board, tmp_path: Path) -> None:
    """The binary is the one that the compiler's own tool makes."""
    made = read_image(firmware.elf, board)
    command = [find_tool("arm-none-eabi-objcopy") or "", "-O", "binary", str(firmware.elf), str(tmp_path / "wanted")]
    subprocess.run(command, check=True, timeout=60)
    assert made.binary() == (tmp_path / "wanted").read_bytes()
    assert made.sha256 == hashlib.sha256(firmware.elf.read_bytes()).hexdigest()
    assert made.origin == board.region("vectors").origin
    assert made.nbytes == firmware.flash_nbytes, "what verify says of it"
