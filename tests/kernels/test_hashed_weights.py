"""Hashed weights through the kernels that unpack: places in a kernel's order, against the reference, on all boards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rig import Case, check, unpacks
from test_conv2d import Conv
from test_dense import Layer

from mcucompile.encodings import codebook_size, hashed_indices
from mcucompile.ir import Clip, QuantParams
from mcucompile.kernels.unpacked import tiles
from mcucompile.kernels.unpacked.kernel import Unpacked
from mcucompile.lower.select import fitting
from mcucompile.target.board import load_board

BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
DENSE = Layer((1,), 48, 24, zero_x=-128, clip=Clip(0.0), zero_y=-128)
CONV = Conv((1, 5, 4, 16, 24), zero_x=-128, zero_y=-128, clip=Clip(0.0))


def hashed(layer: Conv | Layer, ratio: int = 8) -> Case:
    """The layer with weights out of a codebook of a `ratio`-th of them."""
    made = layer.case(1)
    (node,) = made.graph.nodes
    w, y = node.inputs[1], node.output
    codebook = np.random.default_rng(5).integers(-20, 21, codebook_size(w.size, ratio)).astype(np.int8)
    values = codebook[hashed_indices(np.arange(w.size), codebook.size)].reshape(w.shape)
    node.inputs[1] = replace(w, const=values, encoding="hashed")
    assert y.quant
    y.quant = QuantParams.per_tensor(y.quant.scale * 0.2, y.quant.zero, y.quant.dtype)
    node.op = node.op.fix(node, made.graph.numerics)
    return replace(made, name=f"hashed {made.name}")


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("layer", [DENSE, CONV], ids=["dense", "conv"])
def test_there_are_kernels(board: str, layer: Conv | Layer) -> None:
    (node,) = hashed(layer).graph.nodes
    found = fitting(node, load_board(board).isa)
    assert found
    assert all(isinstance(k, Unpacked) and k.encoding == "hashed" for k in found)
    packed = sum(c.values.nbytes for c in found[0].constants(node) if c.role in ("codebook", "walk"))
    assert packed <= node.inputs[1].size // 8 + 6 * 8


@pytest.mark.parametrize("board", BOARDS)
def test_boards_compute_what_the_reference_computes(board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "LIMITS", (400,))
    check([hashed(DENSE), hashed(CONV)], (board,), host=board == "qemu-m0", only=unpacks)
