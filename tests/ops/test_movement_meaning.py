"""Operators that move values: Concat, Slice, Split, Pad, Resize, Transpose, Reshape and its relatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_case import fixed_node, random_stored, stored_tensor
from onnx_case import check, const, floats, ints, model, only

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import DType, Op
from mcucompile.ops import Concat, Pad, Reshape, Resize, Slice, Split, Transpose


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat_is_onnx_runtimes(axis: int) -> None:
    shapes = [[2, 3, 4] for _ in range(3)]
    for i, shape in enumerate(shapes):
        shape[axis] += i
    operands: list[Any] = [floats(*s, seed=i) for i, s in enumerate(shapes)]
    check("Concat", operands, axis=axis)
    check("Concat", [operands[0], const(operands[1])], axis=axis)


SLICES = [
    ((1,), (3,), None, None),
    ((0, 1), (2, 9), (0, 2), None),
    ((-3,), (-1,), (-1,), None),
    ((5,), (-99,), (1,), (-2,)),
    ((-1,), (-(2**31),), (2,), (-1,)),
    ((0,), (2**62,), (1,), (3,)),
    ((-99, 1), (99, 5), (0, 1), (1, 2)),
]


@pytest.mark.parametrize(("starts", "ends", "axes", "steps"), SLICES)
def test_slice_is_onnx_runtimes(starts: Any, ends: Any, axes: Any, steps: Any) -> None:
    operands = [ints(*starts), ints(*ends), None if axes is None else ints(*axes), steps and ints(*steps)]
    while operands[-1] is None:
        operands.pop()
    check("Slice", [floats(4, 6, 7), *operands])


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(-12, 12), end=st.integers(-12, 12), step=st.integers(-4, 4).filter(bool), axis=st.integers(-2, 1)
)
def test_slice_is_numpys(start: int, end: int, step: int, axis: int) -> None:
    x = np.arange(99, dtype=np.float32).reshape(9, 11)
    where: list[slice] = [slice(None)] * 2
    where[axis] = slice(start, end, step)
    # ONNX clamps a start or end beyond the last entry as Python does, which numpy's slice implements too
    if x[tuple(where)].size == 0:
        with pytest.raises(CompileError) as error:
            load(model("Slice", [x, ints(start), ints(end), ints(axis), ints(step)]))
        assert error.value.code == "E0103"
    else:
        check("Slice", [x, ints(start), ints(end), ints(axis), ints(step)])


def test_slice_of_everything_is_nothing() -> None:
    graph = check("Slice", [floats(4, 6), ints(0), ints(99)])
    assert not [n for n in graph.nodes if isinstance(n.op, Slice)]


@pytest.mark.parametrize("pads", [(0, 1, 2, 0, 3, 0), (1, -1, 0, 0, 0, 2), (0, -1, -2, 0, -1, 0)])
def test_pad_is_onnx_runtimes(pads: tuple[int, ...]) -> None:
    check("Pad", [floats(2, 4, 5), ints(*pads)])
    check("Pad", [floats(2, 4, 5), ints(*pads), const(1.5)])


def test_pad_of_some_axes_and_of_none() -> None:
    check("Pad", [floats(2, 4, 5), ints(1, 2, 3, 4), const(0.5), ints(2, -2)])
    graph = check("Pad", [floats(2, 4, 5), ints(0, 0, 0, 0, 0, 0)])
    assert not [n for n in graph.nodes if isinstance(n.op, Pad)]


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_other_pad_modes_are_unsupported(mode: str) -> None:
    with pytest.raises(CompileError) as error:
        load(model("Pad", [floats(4, 4), ints(1, 1, 1, 1)], mode=mode))
    assert error.value.code == "E0103"


RESIZES = [
    ("asymmetric", "floor"),
    ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
    ("pytorch_half_pixel", "round_prefer_floor"),
]


@pytest.mark.parametrize(("transformation", "rounding"), RESIZES)
@pytest.mark.parametrize("factors", [(2, 2), (3, 2), (1, 4)])
def test_resize_is_onnx_runtimes(transformation: str, rounding: str, factors: tuple[int, int]) -> None:
    attributes = {"coordinate_transformation_mode": transformation, "nearest_mode": rounding, "mode": "nearest"}
    x = floats(1, 2, 3, 4)
    scales = const([1, 1, *factors])
    assert only(check("Resize", [x, None, scales], **attributes), Resize).factors == factors
    check("Resize", [x, None, None, ints(1, 2, 3 * factors[0], 4 * factors[1])], **attributes)
    check("Resize", [floats(1, 2, 5), None, const([1, 1, factors[0]])], **attributes)


def test_upsample_of_old_opsets_is_a_resize() -> None:
    x = floats(1, 2, 3, 4)
    assert only(check("Upsample", [x, const([1, 1, 2, 3])], opset=9, mode="nearest"), Resize).factors == (2, 3)
    assert only(check("Upsample", [x], opset=7, mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]), Resize).factors == (2, 2)


@pytest.mark.parametrize(
    ("operands", "attributes"),
    [
        ([None, const([1, 1, 2, 2])], {"mode": "linear"}),
        ([None, const([1, 1, 1.5, 2])], {}),
        ([None, const([1, 2, 1, 1])], {}),
        ([None, const([1, 1, 0.5, 0.5])], {}),
        ([None, const([1, 1, 2, 2])], {"coordinate_transformation_mode": "align_corners", "nearest_mode": "floor"}),
        ([None, const([1, 1, 2, 2])], {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "ceil"}),
    ],
)
def test_resizing_that_does_not_repeat_is_unsupported(operands: list[Any], attributes: dict[str, Any]) -> None:
    with pytest.raises(CompileError) as error:
        load(model("Resize", [floats(1, 2, 4, 4), *operands], **attributes))
    assert error.value.code == "E0103"


@pytest.mark.parametrize(("sizes", "axis"), [((1, 2, 3), 1), ((2, 2), 0), ((4, 3), -1)])
def test_split_is_onnx_runtimes(sizes: tuple[int, ...], axis: int) -> None:
    check("Split", [floats(4, 6, 7), ints(*sizes)], outputs=len(sizes), axis=axis)


def test_split_into_equal_parts() -> None:
    check("Split", [floats(4, 6)], outputs=3, axis=1, num_outputs=3)
    check("Split", [floats(4, 7)], outputs=3, axis=1, num_outputs=3)


@pytest.mark.parametrize(
    ("op_type", "operands", "attributes"),
    [
        ("Reshape", [ints(4, -1)], {}),
        ("Reshape", [ints(0, 0, 2, 2)], {}),
        ("Flatten", [], {"axis": 2}),
        ("Flatten", [], {"axis": -1}),
        ("Flatten", [], {"axis": 0}),
        ("Unsqueeze", [ints(0, -1)], {}),
        ("Transpose", [], {"perm": (2, 0, 1)}),
        ("Transpose", [], {}),
        ("Identity", [], {}),
        ("Cast", [], {"to": 1}),
    ],
)
def test_shape_operators_are_onnx_runtimes(op_type: str, operands: list[Any], attributes: dict[str, Any]) -> None:
    check(op_type, [floats(2, 3, 4), *operands], **attributes)


def test_squeeze() -> None:
    check("Squeeze", [floats(1, 3, 1, 4)])
    check("Squeeze", [floats(1, 3, 1, 4), ints(-2)])


def test_a_cast_that_changes_the_type_is_unsupported() -> None:
    with pytest.raises(CompileError) as error:
        load(model("Cast", [floats(2, 3)], to=6))
    assert error.value.code == "E0103"


# --- integers

MOVES: list[Op] = [
    Slice((1, 0, 4), (2, 3, 3), (1, 1, -2)),
    Split(1, (1, 2)),
    Transpose((2, 0, 1)),
    Reshape((9, 5)),
]


@pytest.mark.parametrize("dtype", [DType.I8, DType.U8, DType.I16])
@pytest.mark.parametrize("op", MOVES, ids=lambda op: op.name)
def test_stored_values_are_moved_unchanged(op: Op, dtype: DType) -> None:
    x = stored_tensor("x", (3, 3, 5), 0.1, 0, dtype)
    outputs = [stored_tensor(f"y{i}", shape, 0.1, 0, dtype) for i, shape in enumerate(op.infer(x.shape))]
    stored = random_stored(x)
    node = fixed_node(op, [x], outputs)
    for got, want in zip(node.op.reference_int(node, stored), op.reference(stored), strict=True):
        assert got.dtype == dtype.numpy
        assert np.array_equal(got, want)


def test_concat_and_resize_move_stored_values() -> None:
    a, b, y = (stored_tensor(n, (1, 2, k, 3), 0.1, 4) for n, k in (("a", 2), ("b", 3), ("y", 5)))
    node = fixed_node(Concat(2), [a, b], [y])
    values = random_stored(a), random_stored(b, 1)
    assert np.array_equal(node.op.reference_int(node, *values)[0], np.concatenate(values, axis=2))
    big = stored_tensor("y", (1, 4, 6, 3), 0.1, 4)
    node = fixed_node(Resize((2, 3)), [a], [big])
    assert np.array_equal(node.op.reference_int(node, values[0])[0], np.kron(values[0], np.ones((1, 2, 3, 1), np.int8)))


@pytest.mark.parametrize(("value", "stored"), [(0.0, 4), (1.0, 14), (-99.0, -128)])
def test_pad_stores_the_quantized_value(value: float, stored: int) -> None:
    x, y = stored_tensor("x", (2, 2), 0.1, 4), stored_tensor("y", (3, 4), 0.1, 4)
    node = fixed_node(Pad((1, 0), (0, 2), value), [x], [y])
    inside = np.asarray([[1, 2], [3, -4]], np.int8)
    expected = [[stored] * 4, [1, 2, stored, stored], [3, -4, stored, stored]]
    assert node.op.reference_int(node, inside)[0].tolist() == expected
