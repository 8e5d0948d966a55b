"""Winograd's convolution: its matrices, what it refuses, and its kernels on emulated boards with DSP instructions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rig
from test_compilers import ZIG
from test_conv2d import Conv

from mcucompile.ir import Clip, DType, Node, Numerics
from mcucompile.kernels.conv2d.winograd import (
    Winograd,
    Winograd2,
    Winograd4,
    Winograd4Expanding4,
    Winograd4Expanding8,
    Winograd4Expanding8Staggered,
    Winograd4Staggered,
)
from mcucompile.kernels.conv2d.winograd_transform import F2, F4, F4_PLAIN, Transform
from mcucompile.kernels.kernel import Kernel

KERNELS = (Winograd2(), Winograd4(), Winograd4Expanding4())
SAME = {"zero_x": -128, "zero_y": -128, "clip": Clip(0.0)}
CONVS = (
    Conv((1, 8, 8, 8, 8), **SAME),
    Conv((1, 8, 12, 4, 8), zero_x=127, zero_y=5),  # six tiles of 4x4: blocks of four have two too many
    Conv((2, 5, 13, 8, 5), zero_x=-7),  # ragged tiles, the last of an odd number; odd channels
    Conv((3, 4, 4, 16, 6), zero_x=3, pads=(0, 0, 0, 0)),  # 2x2 outputs of one tile
    Conv((1, 10, 18, 8, 4), pads=(0, 0, 0, 0)),  # no tile reaches out
    Conv((1, 7, 6, 12, 7), pads=(2, 0, 1, 2), zero_x=11, zero_y=-12),
    Conv((1, 1, 1, 4, 4), pads=(2, 2, 2, 2), zero_x=127),
    Conv((1, 3, 16, 33, 3), spread=30, zero_x=-5),  # a shift per channel, one byte in the last word
    Conv((1, 17, 16, 3, 17), per_channel=False, zero_x=83),
    Conv((1, 6, 6, 5, 2), spread=30, dead=True, zero_y=12, clip=Clip(-0.3, 0.4)),
    Conv((1, 4, 8, 72, 4), zero_x=-128),  # the inner loop has rounds
    Conv((1, 2, 8, 148, 2), zero_x=1),
)
WIDE = Conv((1, 1, 2, 1044, 1), zero_x=-2)  # for 2x2 outputs only; the inner loop walks through more than 4 KB
TFLITE = tuple(replace(c, numerics=Numerics.TFLITE) for c in CONVS)
EXTREME = tuple(replace(c, zero_x=z) for c in CONVS[:2] for z in (-128, 127))


def is_winograd(kernel: Kernel) -> bool:
    return isinstance(kernel, Winograd)


def case(conv: Conv, seed: int) -> rig.Case:
    made = conv.case(seed)
    assert all(k.fits(made.graph.nodes[0]) for k in KERNELS), f"{conv}: not a case for these kernels"
    return made


def cases() -> list[rig.Case]:
    return [*(case(c, i) for i, c in enumerate((*CONVS, *TFLITE))), WIDE.case(0)]


def filled(made: rig.Case, weight: int, x: int) -> rig.Case:
    """The case with all weights and inputs the same."""
    (node,) = made.graph.nodes
    w = node.inputs[1]
    assert w.const is not None
    w.const = np.full_like(w.const, weight)
    node.op = node.op.fix(node, made.graph.numerics)
    return replace(made, samples=({"x": np.full(made.graph.inputs[0].shape, x, np.int8)},))


def extremes() -> list[rig.Case]:
    """The largest sums of all parts: of U and V, and of those of one position alone."""
    numbers = [(w, x) for w in (-128, 127) for x in (-128, 127)]
    return [filled(case(c, i), w, x) for i, c in enumerate(EXTREME) for w, x in numbers]


@pytest.mark.parametrize("t", [F2, F4, F4_PLAIN], ids=["F2", "F4", "F4 plain"])
def test_transform_is_exact(t: Transform) -> None:
    rng = np.random.default_rng(t.size)
    a = np.asarray(t.a) << np.asarray(t.defers)[:, None]
    for _ in range(20):
        d, g = rng.integers(-128, 128, (t.tile, t.tile)), rng.integers(-128, 128, (3, 3))
        wanted = [[(d[i : i + 3, j : j + 3] * g).sum() for j in range(t.size)] for i in range(t.size)]
        got = a @ (t.weights(g) * (np.asarray(t.b) @ d @ np.asarray(t.b).T)) @ a.T
        assert (got == np.asarray(wanted) * t.odd * 2**t.bits).all()
        assert (got * t.inverse % 2**32 == np.asarray(wanted) * 2**t.bits % 2**32).all()


@pytest.mark.parametrize("t", [F2, F4, F4_PLAIN], ids=["F2", "F4", "F4 plain"])
def test_input_bound_is_reached_and_never_passed(t: Transform) -> None:
    b = np.asarray(t.b)
    reached = 0
    for i in range(t.tile):
        for j in range(t.tile):
            factors = np.outer(b[i], b[j])
            for worst in (factors > 0, factors < 0):
                d = np.where(worst, 255, 0)
                reached = max(reached, int(np.abs(b @ d @ b.T).max()))
    assert t.input_bound(0, 255) == reached


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.variant)
def test_needs_room_for_its_factors(kernel: Winograd) -> None:
    """64 (or 4) times the sum must fit int32. A bias makes the sum as large as one likes."""
    limit = 1 << (31 - kernel.transform.bits)
    conv = Conv((1, 4, 4, 4, 4), per_channel=False).case(0)
    (node,) = conv.graph.nodes
    reach = 128 * 9 * 4 * 128
    assert kernel.fits(with_bias(node, limit - reach - 1))
    assert not kernel.fits(with_bias(node, limit))


def with_bias(node: Node, value: int) -> Node:
    bias = node.inputs[2]
    assert bias.const is not None
    bias.const = np.full_like(bias.const, value)
    node.op = node.op.fix(node, Numerics.ONNX)
    return node


@pytest.mark.parametrize(("width", "fits"), [(16, False), (17, True)])
def test_strips_of_eight_tiles_need_more_than_four(width: int, fits: bool) -> None:
    (node,) = Conv((1, 4, width, 4, 4)).case(0).graph.nodes
    assert Winograd4Expanding8().fits(node) == fits


@pytest.mark.parametrize(("channels", "fits"), [(1, True), (64, True), (72, False)])
def test_staggered_steps_are_written_out(channels: int, fits: bool) -> None:
    (node,) = Conv((1, 4, 4, channels, 4)).case(0).graph.nodes
    assert Winograd4Staggered().fits(node) == fits


def test_wide_layers() -> None:
    (node,) = WIDE.case(0).graph.nodes
    assert [k.variant for k in KERNELS if k.fits(node)] == ["winograd2"]


REFUSED = (
    Conv((1, 8, 8, 4, 4), strides=(2, 1)),
    Conv((1, 8, 8, 4, 4), (3, 2), pads=(1, 1, 1, 0)),
    Conv((1, 8, 8, 4, 4), dilations=(1, 2), pads=(1, 2, 1, 2)),
    Conv((1, 8, 8, 4, 4), groups=2),
    Conv((1, 8, 8, 4, 4), pads=(3, 1, 1, 1)),
    Conv((1, 8, 8, 4, 4), x=DType.I16),
    Conv((1, 8, 8, 4, 4), w=DType.I16),
)


@pytest.mark.parametrize("conv", REFUSED, ids=str)
def test_refuses(conv: Conv) -> None:
    (node,) = conv.case(0).graph.nodes
    assert not any(k.fits(node) for k in (*KERNELS, Winograd4Expanding8(), Winograd4Expanding8Staggered()))


def test_on_board() -> None:
    rig.check(cases(), ("qemu-m4",), host=False, only=is_winograd)


@pytest.mark.parametrize("board", ["qemu-m7", "qemu-m33"])
def test_on_other_boards(board: str) -> None:
    rig.check(cases()[::5], (board,), host=False, only=is_winograd)


def test_extreme_numbers() -> None:
    rig.check(extremes(), ("qemu-m4",), host=False, only=is_winograd)


@pytest.mark.parametrize("opt", ["-O0", "-Os", "-O3"])
def test_optimization_levels(opt: str) -> None:
    rig.check(cases()[::3], ("qemu-m4",), opt, host=False, only=is_winograd)


@pytest.mark.parametrize("opt", ["-O0", "-O2"])
def test_clang(opt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ziglang", reason="clang comes with the Python package ziglang")
    monkeypatch.setattr(rig, "find_toolchain", lambda: ZIG)
    rig.check(cases()[::4], ("qemu-m4",), opt, host=False, only=is_winograd)
