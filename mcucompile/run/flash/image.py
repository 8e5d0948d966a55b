"""What a linked program puts into flash, in the forms that flashing tools take."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from ...target.board import Board

ERASED = b"\xff"
_HEX_NBYTES = 16  # data bytes of a line


@dataclass(frozen=True)
class Image:
    """`segments` are (address, bytes) in order of addresses; `sha256` is of the ELF file."""

    elf: Path
    sha256: str
    segments: tuple[tuple[int, bytes], ...]

    @property
    def nbytes(self) -> int:
        return sum(len(data) for _, data in self.segments)

    @property
    def origin(self) -> int:
        return self.segments[0][0]

    def binary(self) -> bytes:
        """From the first byte to the last; gaps are as erased flash."""
        content = bytearray()
        for address, data in self.segments:
            content += ERASED * (address - self.origin - len(content)) + data
        return bytes(content)

    def pages(self, nbytes: int) -> Iterator[tuple[int, bytes]]:
        """(address, bytes) of every page that holds part of the program: aligned, whole, the rest as erased flash."""
        pages: dict[int, bytearray] = {}
        for address, data in self.segments:
            for at in range(address - address % nbytes, address + len(data), nbytes):
                page = pages.setdefault(at, bytearray(ERASED * nbytes))
                first, last = max(at, address), min(at + nbytes, address + len(data))
                page[first - at : last - at] = data[first - address : last - address]
        for at in sorted(pages):
            yield at, bytes(pages[at])

    def intel_hex(self) -> str:
        """Intel HEX with extended linear addresses, as Intel's specification of 1988 describes it."""
        lines, upper = [], 0
        for address, data in self.segments:
            for at, part in _hex_parts(address, data):
                if at >> 16 != upper:
                    upper = at >> 16
                    lines.append(_hex_line(4, 0, upper.to_bytes(2, "big")))
                lines.append(_hex_line(0, at & 0xFFFF, part))
        return "\n".join([*lines, _hex_line(1, 0, b"")]) + "\n"


def read_image(elf: Path, board: Board) -> Image:
    """The image in an ELF file that was linked for this board."""
    with elf.open("rb") as file:
        headers = [(s["p_paddr"], s.data()) for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_LOAD"]
    segments = tuple(sorted((address, data) for address, data in headers if data))
    regions = [r for r in board.regions if r.kind == "flash"]
    for address, data in segments:
        assert any(r.origin <= address and address + len(data) <= r.origin + r.nbytes for r in regions)
    return Image(elf, elf_sha256(elf), segments)


def elf_sha256(elf: Path) -> str:
    return hashlib.sha256(elf.read_bytes()).hexdigest()


def _hex_parts(address: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Pieces of a line each, none of which crosses a border of 64 KB."""
    at = 0
    while at < len(data):
        nbytes = min(_HEX_NBYTES, 0x10000 - (address + at & 0xFFFF))
        yield address + at, data[at : at + nbytes]
        at += nbytes


def _hex_line(kind: int, offset: int, data: bytes) -> str:
    record = bytes([len(data), *offset.to_bytes(2, "big"), kind, *data])
    return ":" + (record + bytes([-sum(record) & 0xFF])).hex().upper()
