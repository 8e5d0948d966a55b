"""Decoders on the emulated boards: the values that numpy decodes, at the cost that the encoding estimates."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from board_decoders import Stream, run
from decoder_kinds import COUNT, PLACES, every_decoder, values_of

from mcucompile.encodings import ALL, BY_NAME, Layout, walk_of
from mcucompile.encodings.words import WordsParams
from mcucompile.run.cycles import cycle_plugin
from mcucompile.run.tools import find_tool, find_toolchain
from mcucompile.target.board import load_board

BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
ALIKE = ("qemu-m7", "qemu-m33")  # run what a Cortex-M4 does
REFERENCE_COMPILER = "12.2"  # costs are measured with its code
HAS_EMULATOR = bool(find_tool("qemu-system-arm") and find_tool("arm-none-eabi-gcc")) and not cycle_plugin().missing
pytestmark = pytest.mark.skipif(
    not HAS_EMULATOR, reason="needs arm-none-eabi-gcc and a qemu-system-arm that takes plugins"
)


@cache
def streams() -> tuple[Stream, ...]:
    """Each encoding in tiles that are whole groups, and in the other layouts in tiles that are not."""
    walk = walk_of(PLACES)
    assert walk
    return tuple(
        Stream(encoding, encoding.encode(values_of(encoding.name), Layout(mirrored, tile, shifted, walk)), tile)
        for encoding in ALL
        for mirrored, tile, shifted in ((False, 1920, False), (True, 300, False), (False, 301, True))
    )


@pytest.mark.parametrize(
    ("board", "opt"),
    [*((board, "-O2") for board in BOARDS), *((board, "-Os") for board in BOARDS if board not in ALIKE)],
)
def test_boards_give_the_same_values(board: str, opt: str) -> None:
    outputs, costs, _ = run(streams(), board, opt)
    for stream, output, cost in zip(streams(), outputs, costs, strict=True):
        np.testing.assert_array_equal(output, stream.encoding.decode(stream.encoded), stream.encoding.name)
        if opt == "-O2" and stream.tile == 1920 and REFERENCE_COMPILER in find_toolchain().version:
            estimate = stream.encoding.cycles(stream.encoded, load_board(board).core.cpu)
            assert estimate == pytest.approx(cost.cycles, rel=0.3), stream.encoding.name


def test_unpacking_is_cheap() -> None:
    """Instructions per value on Cortex-M4, at most."""
    if REFERENCE_COMPILER not in find_toolchain().version:
        pytest.skip(f"the bounds are for gcc {REFERENCE_COMPILER}")
    most = {"int4": 1.6, "int2": 1.5, "ternary": 3.2, "binary": 1.5, "codebook": 4.2, "words": 1.0, "huffman": 7.0}
    cheap = [Stream(BY_NAME[name], BY_NAME[name].encode(values_of(name), Layout(False, 1920)), 1920) for name in most]
    _, costs, _ = run(cheap, "qemu-m4")
    found = {s.encoding.name: cost.instructions / COUNT for s, cost in zip(cheap, costs, strict=True)}
    assert {name: n for name, n in found.items() if n > most[name]} == {}


@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4", "qemu-m55"])
def test_every_decoder(board: str) -> None:
    streams = every_decoder()
    assert {(size, 8) for size in (2, 4, 8)} <= {
        (p.size, p.bits) for p in (s.encoded.params for s in streams) if isinstance(p, WordsParams)
    }
    outputs, _, _ = run(streams, board)
    for stream, output in zip(streams, outputs, strict=True):
        np.testing.assert_array_equal(output, stream.encoding.decode(stream.encoded), str(stream.encoded.params))
