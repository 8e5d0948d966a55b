"""The identities behind two products in one multiplication, and behind multipliers in digits, on any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_node import activation
from test_conv2d import Conv
from test_depthwise_conv2d import Depthwise

from mcucompile.ir import DType, Node, Numerics, Requant, Rounding, constant
from mcucompile.kernels import kernels_of
from mcucompile.kernels.conv2d.half_groups import START, excess_count, initial_sums, split_excess
from mcucompile.kernels.conv2d.halves import Halves, digits_of, sum_reach
from mcucompile.kernels.dense.couples import CouplesParams, couple_words, first_sums
from mcucompile.kernels.depthwise_conv2d.halves import Halves as DepthwiseHalves
from mcucompile.kernels.digits import Digits, digit_words, digits
from mcucompile.ops.dense import Dense
from mcucompile.target.cores import CORES

INT8 = st.integers(-128, 127)
HALVES, DEPTHWISE = Halves(), DepthwiseHalves()
LARGE = st.sampled_from([-128, -127, -1, 0, 1, 127])


def signed(value: int, bits: int) -> int:
    """The low bits as a signed number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


@given(st.integers(2, 6), st.lists(st.tuples(INT8 | LARGE, INT8 | LARGE, INT8 | LARGE), max_size=40), INT8)
def test_groups_sum_two_windows_exactly(size: int, taps: list[tuple[int, int, int]], bias: int) -> None:
    taps = taps + [(0, 0, 0)] * (-len(taps) % size)
    weights, p, q = (np.array([t[i] for t in taps], np.int64) for i in range(3))
    kept, excesses = split_excess(weights, size)
    words = [int(a) + (int(b) << 16) for a, b in zip(p, q, strict=True)]
    groups = [[(int(kept[k]), words[k]) for k in range(g, g + size)] for g in range(0, len(taps), size)]
    groups += [[(e.weight, words[e.tap])] for e in excesses]
    total, high = initial_sums(bias, len(groups))
    for group in groups:
        t = signed(START + sum(w * x for w, x in group), 32)
        high, total = high + (t >> 16), total + t
    assert signed(total - (high << 16), 32) == bias + int(weights @ p)
    assert signed(high, 32) == bias + int(weights @ q)


@given(st.integers(2, 6), st.lists(INT8 | LARGE, max_size=60))
def test_excess_is_counted_without_being_listed(size: int, taps: list[int]) -> None:
    weights = np.array(taps + [0] * (-len(taps) % size), np.int64)
    kept, excesses = split_excess(weights, size)
    assert len(excesses) == excess_count(weights[None], size)
    assert all(np.abs(group).sum() <= 255 for group in kept.reshape(-1, size))
    back = kept.copy()
    for e in excesses:
        back[e.tap] += e.weight
    assert (back == weights).all()


def test_small_weights_have_no_excess() -> None:
    kept, excesses = split_excess(np.full(12, -63), 4)
    assert kept.tolist() == [-63] * 12
    assert excesses == ()


def rescaled(node: Node, acc: int, channel: int, reach: int) -> int:
    """What kernels compute with the digits, every intermediate value checked to fit 32 bits."""

    def word(value: int) -> int:
        assert -(1 << 31) <= value < 1 << 31
        return value

    d = digits(node, reach)
    assert d is not None
    row = [int(v) for v in digit_words(node, d, 2)[channel]]
    v = word(acc * row[0])
    for m in row[1 : d.count]:
        v = word(word(v >> d.bits) + word(acc * m))
    v = word(v + d.offset) >> d.shift
    if d.gemmlowp:
        v = word(word(v + (v >> 31)) + row[d.count]) >> row[d.count + 1]
    return min(max(v, d.low), d.high)


@given(
    st.sampled_from(Rounding), st.tuples(st.integers(1 << 30, (1 << 31) - 1), st.integers(0, (1 << 31) - 1)),
    st.tuples(st.integers(33, 44), st.integers(33, 44)), INT8, st.integers(1, 1 << 22), st.data(),
)  # fmt: skip
def test_digits_round_as_the_reference(
    rounding: Rounding,
    multipliers: tuple[int, int],
    shifts: tuple[int, int],
    zero: int,
    reach: int,
    data: st.DataObject,
) -> None:
    requant = Requant(multipliers, shifts, rounding)
    x, w = activation("x", (1, 1)), constant("w", np.ones((2, 1), np.int8))
    y = activation("y", (1, 2), DType.I8, zero)
    node = Node(Dense(requant=requant), [x, w, constant("b", np.zeros(2, np.int32))], [y], ("n",))
    if digits(node, reach) is None:
        return
    for channel in range(2):
        acc = data.draw(st.integers(-reach, reach) | st.sampled_from([-reach, reach]))
        wanted = int(np.clip(requant.apply(np.array([acc, acc]))[channel] + zero, -128, 127))
        assert rescaled(node, acc, channel, reach) == wanted


@given(
    st.sampled_from([4, 8]), st.lists(st.tuples(*[INT8 | LARGE] * 3), min_size=1, max_size=40), st.tuples(INT8, INT8)
)
def test_couples_sum_two_outputs_exactly(size: int, taps: list[tuple[int, int, int]], bias: tuple[int, int]) -> None:
    taps = taps + [(0, 0, 0)] * (-len(taps) % size)
    rows = np.array([[t[i] for t in taps] for i in range(2)], np.int64)
    values = [t[2] for t in taps]
    groups = len(taps) // size
    d = Digits(8, 4, 9, 0, False, -128, 127)
    p = CouplesParams(1, len(taps), 2, size, 1, groups, 1, True, d)
    total, high = (int(v) for v in first_sums(np.array(bias, np.int64), groups))
    words = [int(w) for w in couple_words(rows, p)]
    expanded = [word for g in range(groups) for word in expanded_group(values[g * size : (g + 1) * size])]
    first, second = words[0] & 0xFFFF, words[0] >> 16
    for i, word in enumerate(words[1 : 1 + (first + second) // 4]):
        t = expanded[(word & 0xFFFF) // 4] * (word >> 16)
        total, high = (total + t, high) if 4 * i < first else (total + (t << 16), high + t)
    weights = [w & 0xFFFFFFFF for w in words[1 + (first + second) // 4 :]]
    for g in range(groups):
        start, *row = expanded[g * (size + 1) : (g + 1) * (size + 1)]
        chosen = weights[g * size // 2 : (g + 1) * size // 2]
        pairs = zip(chosen, row[0::2], row[1::2], strict=True)
        t = signed(start + sum(w * a + (w >> 8 & 0xFF00FF) * b for w, a, b in pairs), 32)
        total, high = total + t, high + (t >> 16)
    assert signed(total - (high << 16), 32) == bias[0] + int(rows[0] @ values)
    assert signed(high, 32) == bias[1] + int(rows[1] @ values)


def expanded_group(values: list[int]) -> list[int]:
    """As the kernel expands them."""
    pairs = list(zip(values[0::2], values[1::2], strict=True))
    return [START - 128 * 0x10001 * sum(values), *(word for a, b in pairs for word in (a, b - 256 * a))]


@pytest.mark.parametrize("numerics", Numerics)
def test_cores_take_the_kernel_that_is_made_for_them(numerics: Numerics) -> None:
    layers = (
        (HALVES, Conv((1, 8, 8, 16, 16), numerics=numerics)),
        (DEPTHWISE, Depthwise((1, 8, 8, 16, 1), numerics=numerics)),
    )
    for halves, layer in layers:
        (node,) = layer.case(0).graph.nodes
        (direct,) = (k for k in kernels_of(type(node.op)) if k.variant == "direct")
        assert halves.cycles(node, CORES["cortex-m0"]) < direct.cycles(node, CORES["cortex-m0"])
        assert halves.cycles(node, CORES["cortex-m0plus"]) < halves.cycles(node, CORES["cortex-m0"])
        assert halves.cycles(node, CORES["cortex-m4"]) > direct.cycles(node, CORES["cortex-m4"])


def test_depthwise_leaves_what_it_cannot_do() -> None:
    def fits(layer: Depthwise) -> bool:
        return DEPTHWISE.fits(layer.case(0).graph.nodes[0])

    assert fits(Depthwise((1, 8, 8, 2, 1)))
    assert not fits(Depthwise((1, 8, 8, 2, 1), dilations=(2, 1), pads=(2, 1, 2, 1)))
    assert not fits(Depthwise((1, 200, 200, 1, 1)))  # byte offsets of the plane's words need 16 bits
    assert not fits(Depthwise((1, 9, 9, 2, 1), (9, 8), pads=(4, 4, 4, 4)))  # the weights' place on the stack


def test_digits_serve_usual_layers() -> None:
    for numerics in Numerics:
        (node,) = Conv((1, 8, 8, 16, 16), zero_x=-128, zero_y=-128, numerics=numerics).case(0).graph.nodes
        assert digits_of(node) is not None
        assert HALVES.fits(node)


def test_reach_bounds_every_sum() -> None:
    (node,) = Conv((1, 1, 1, 2, 1), (1, 1), pads=(0, 0, 0, 0)).case(0).graph.nodes
    weight, bias = node.inputs[1].const, node.inputs[2].const
    assert weight is not None
    assert bias is not None
    values = np.array([-128, 127])
    sums = [int(bias[0] + (weight.reshape(-1).astype(int) * (a, b)).sum()) for a in values for b in values]
    assert sum_reach(bias, weight.reshape(1, -1)) == max(map(abs, sums))
