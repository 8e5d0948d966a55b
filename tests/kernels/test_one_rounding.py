"""TensorFlow Lite's sums as linear sums: the same for every pair of int8, and given up where that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_node import activation, case
from rig import check

from mcucompile.ir import NO_CLIP, Clip, DType, Node, Numerics, integer_clip
from mcucompile.kernels.add.one_rounding import linear_of
from mcucompile.ops.add import Add
from mcucompile.ops.linear_sum import GemmlowpSum, LinearSum, ScaledSum
from mcucompile.ops.sub import Sub

SCALES = ((0.05, 0.03, 0.06), (0.1, 0.1, 0.1), (0.02, 0.4, 0.3), (0.007, 0.009, 0.013), (1.0, 0.5, 0.25))
ZEROS = ((-128, 4, -128), (0, 0, 0), (127, -5, 17))


def node(op: ScaledSum, scales: tuple[float, ...], zeros: tuple[int, ...], dtype: DType = DType.I8) -> Node:
    a, b, y = (activation(n, (256, 256), dtype, z, s) for n, s, z in zip("aby", scales, zeros, strict=True))
    made = Node(op, [a, b], [y], ("sum",))
    made.op = op.fix(made, Numerics.TFLITE)
    return made


def is_the_same(made: Node, found: LinearSum) -> bool:
    """For every pair, with sums as C has them: 32 bits that must not overflow."""
    a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
    assert isinstance(made.op, ScaledSum)
    (wanted,) = made.op.reference_int(made, a, b)
    terms = np.stack([a * found.multipliers[0], b * found.multipliers[1], np.full_like(a, found.offset)])
    assert np.abs(terms).sum(axis=0).max() < 1 << 31
    got = np.clip(terms.sum(axis=0) >> found.shift, *integer_clip(made.op.clip, made))
    return bool((got == wanted).all())


@given(
    st.tuples(*[st.floats(0.001, 1.0)] * 3), st.tuples(*[st.integers(-128, 127)] * 3),
    st.sampled_from([Add(), Sub(), Add(Clip(0.0)), Add(Clip(0.0, 6.0))]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_what_is_found_is_the_same(scales: tuple[float, ...], zeros: tuple[int, ...], op: ScaledSum) -> None:
    made = node(op, tuple(float(np.float32(s)) for s in scales), zeros)
    found = linear_of(made)
    assert found is None or is_the_same(made, found)


@pytest.mark.parametrize("op", [Add(), Sub(), Add(Clip(0.0))])
def test_most_sums_are_found(op: ScaledSum) -> None:
    found = [linear_of(node(op, s, z)) for s in SCALES for z in ZEROS]
    assert sum(f is not None for f in found) > len(found) // 2


def test_only_int8_is_tried() -> None:
    assert linear_of(node(Add(), SCALES[0], (0, 0, 0), DType.I16)) is None


def test_linear_sums_stay_as_they_are() -> None:
    made = node(Add(), SCALES[0], ZEROS[0])
    made.op = Add().fix(made, Numerics.ONNX)
    assert linear_of(made) is made.op.fixed


def test_every_pair_on_boards() -> None:
    pairs = np.meshgrid(*[np.arange(-128, 128).astype(np.int8)] * 2)
    samples = [dict(zip("ab", pairs, strict=True))]
    cases = []
    for op, scales in ((Add(NO_CLIP), SCALES[0]), (Sub(Clip(0.0)), SCALES[3])):
        made = node(op, scales, ZEROS[0])
        assert isinstance(made.op, ScaledSum)
        assert isinstance(made.op.fixed, GemmlowpSum)
        assert linear_of(made)
        cases.append(case(f"{op.name} every pair", op, made.inputs, made.outputs, Numerics.TFLITE, samples))
    check(cases, ["qemu-m3", "qemu-m55"])
