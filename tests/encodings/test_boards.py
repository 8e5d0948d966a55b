"""Decoders on the emulated boards: the values that numpy decodes, at the cost that the encoding estimates."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from board_decoders import Stream, run

from mcucompile.encodings import ALL, BY_NAME, Layout, hashed_indices, walk_of
from mcucompile.ir import Array
from mcucompile.run.cycles import cycle_plugin
from mcucompile.run.tools import find_tool, find_toolchain
from mcucompile.target.board import load_board

BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
COUNT = 6000
# Words of four inputs of each of four outputs, of a layer of 15 groups of 4 outputs with 100 inputs.
PLACES = np.arange(COUNT).reshape(15, 4, 25, 4).transpose(0, 2, 1, 3).reshape(-1)
REFERENCE_COMPILER = "12.2"  # costs are measured with its code
HAS_EMULATOR = bool(find_tool("qemu-system-arm") and find_tool("arm-none-eabi-gcc")) and not cycle_plugin().missing
pytestmark = pytest.mark.skipif(
    not HAS_EMULATOR, reason="needs arm-none-eabi-gcc and a qemu-system-arm that takes plugins"
)


def values_of(name: str) -> Array:
    """Values that use all that the encoding can hold, or what compression leaves."""
    rng = np.random.default_rng(len(name))
    if name in ("int4", "int2", "ternary"):
        low, high = {"int4": (-8, 8), "int2": (-2, 2), "ternary": (-1, 2)}[name]
        return rng.integers(low, high, COUNT, np.int8)
    if name == "binary":
        return 2 * rng.integers(0, 2, COUNT, np.int8) - 1
    if name == "codebook":
        return rng.permutation(np.arange(-128, 128))[rng.integers(0, 16, COUNT)].astype(np.int8)
    if name == "words":
        return rng.integers(-128, 128, (256, 4), np.int8)[rng.integers(0, 256, COUNT // 4)].reshape(-1)
    if name == "hashed":
        return rng.integers(-128, 128, COUNT // 8, np.int8)[hashed_indices(PLACES, COUNT // 8)]
    clusters = np.round(rng.normal(0, 5, COUNT)).astype(np.int8) * 7
    return np.where(rng.random(COUNT) < 0.8, 0, clusters).astype(np.int8)


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


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("opt", ["-O2", "-Os"])
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
