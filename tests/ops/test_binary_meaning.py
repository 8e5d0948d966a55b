"""Add, Sub, Mul, Div, Min, Max: broadcasting as ONNX Runtime does it, integers within a rounding of the formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from integer_case import errors, every_value, fixed_node, random_stored, real, stored_tensor, worst_error
from onnx_case import check, const, floats, only

from mcucompile.errors import CompileError
from mcucompile.ir import Clip, DType, Node, Op, QuantParams, constant, real_values
from mcucompile.ops import Add, Div, Max, Min, Mul, Sub
from mcucompile.ops.div import scalar_reciprocal
from mcucompile.ops.linear_sum import LinearSum

ARITHMETIC = ["Add", "Sub", "Mul", "Div"]
SHAPES = [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((4,), (2, 3, 4)), ((2, 1, 4), (3, 1)), ((2, 3), ()), ((), (2, 3))]


@pytest.mark.parametrize("op_type", [*ARITHMETIC, "Max", "Min"])
@pytest.mark.parametrize("shapes", SHAPES)
def test_two_activations_are_onnx_runtimes(op_type: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    check(op_type, [np.asarray(floats(*s, seed=i)) for i, s in enumerate(shapes)])


@pytest.mark.parametrize("op_type", [*ARITHMETIC, "Max", "Min"])
@pytest.mark.parametrize("shape", [(4,), (3, 1), (), (1, 1, 1), (1, 1, 1, 4)])
def test_a_constant_operand_gets_the_rank_of_the_other(op_type: str, shape: tuple[int, ...]) -> None:
    graph = check(op_type, [floats(2, 3, 4), const(floats(*shape, seed=1))])
    (node,) = [n for n in graph.nodes if len(n.inputs) == 2]
    assert len({len(t.shape) for t in node.inputs}) == 1
    check(op_type, [const(floats(*shape, seed=1)), floats(2, 3, 4)])


@pytest.mark.parametrize(("op_type", "kind"), [("Max", Max), ("Min", Min), ("Sum", Add)])
def test_more_operands_make_a_chain(op_type: str, kind: type[Op]) -> None:
    graph = check(op_type, [floats(2, 3), floats(3, seed=1), const(floats(2, 1, seed=2)), floats(2, 3, seed=3)])
    assert sum(isinstance(n.op, kind) for n in graph.nodes) == 3
    assert not any(isinstance(n.op, kind) for n in check(op_type, [floats(2, 3)]).nodes)


def test_division_by_one_constant_number_is_a_multiplication() -> None:
    graph = check("Div", [floats(2, 3), const([[4.0]])])
    assert only(graph, Mul)
    check("Div", [floats(2, 3), const([1.0, 2.0, 3.0])])
    assert only(check("Div", [floats(2, 3), const([0.0])]), Div)


def test_reciprocal_of_a_quantized_number_keeps_its_type() -> None:
    divisor = constant("d", np.full((1, 1), -50, np.int8), QuantParams.per_tensor(0.1, 0))
    found = scalar_reciprocal(divisor)
    assert found is not None
    assert found.dtype is DType.I8
    np.testing.assert_allclose(real_values(found), [[-0.2]], rtol=1e-6)
    assert scalar_reciprocal(constant("d", np.asarray([50, 51], np.int8), QuantParams.per_tensor(0.1, 0))) is None
    assert scalar_reciprocal(constant("d", np.asarray([0], np.int8), QuantParams.per_tensor(0.1, 0))) is None


# --- integers

scales = st.floats(-4, 1).map(lambda e: 10.0**e)
zeros = st.integers(-128, 127)


def grid_node(op: Op, quants: list[tuple[float, int]]) -> Node:
    """All 65,536 pairs of stored 8-bit values."""
    a, b = stored_tensor("a", (256, 1), *quants[0]), stored_tensor("b", (1, 256), *quants[1])
    return fixed_node(op, [a, b], [stored_tensor("y", (256, 256), *quants[2])])


GRID = (every_value(DType.I8)[:, None], every_value(DType.I8)[None])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([Add(), Sub()]), st.lists(st.tuples(scales, zeros), min_size=3, max_size=3))
def test_8_bit_sum_is_within_2_to_the_minus_12_of_a_rounding(op: Op, quants: list[tuple[float, int]]) -> None:
    assume(max(quants[0][0], quants[1][0]) < quants[2][0] * 2**10)
    assert worst_error(grid_node(op, quants), *GRID) <= 0.5 + 2.0**-12


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([Add(), Sub()]), st.lists(st.tuples(scales, zeros), min_size=3, max_size=3))
def test_8_bit_sum_before_rounding(op: Op, quants: list[tuple[float, int]]) -> None:
    """What the shift drops, too: a rounded result alone would hide most of an error."""
    assume(max(quants[0][0], quants[1][0]) < quants[2][0] * 2**10)
    node = grid_node(op, quants)
    assert isinstance(node.op, (Add, Sub)) and isinstance(node.op.fixed, LinearSum)
    a, b = (g.astype(np.int64) for g in GRID)
    found = (a * node.op.fixed.multipliers[0] + b * node.op.fixed.multipliers[1] + node.op.fixed.offset) / (
        2.0**node.op.fixed.shift
    ) - 0.5
    assert node.output.quant
    exact = node.op.reference(real(node.inputs[0], GRID[0]), real(node.inputs[1], GRID[1]))[0]
    exact = exact / node.output.quant.scale + node.output.quant.zero
    within = np.abs(exact) < 1024
    assert np.abs(found - exact)[within].max(initial=0) < 2.0**-12


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(scales, zeros), min_size=3, max_size=3))
def test_linear_sum_of_32_bits_never_overflows(quants: list[tuple[float, int]]) -> None:
    """Every partial sum, in any order, of the raw terms that the C adds."""
    op = grid_node(Add(), quants).op
    assert isinstance(op, Add) and isinstance(op.fixed, LinearSum)
    (ma, mb), offset = op.fixed.multipliers, op.fixed.offset
    assert max(abs(ma), abs(mb)) < 1 << 31
    if op.fixed.bits == 32:
        assert 128 * (abs(ma) + abs(mb)) + abs(offset) < 1 << 31
    else:
        assert 128 * (abs(ma) + abs(mb)) + abs(offset) < 1 << 62


def test_usual_sums_need_32_bits() -> None:
    for ratio in (0.1, 0.5, 1.0, 2.0, 3.0):
        op = grid_node(Add(), [(0.1, -128), (0.1, 127), (0.1 / ratio, -128)]).op
        assert isinstance(op, Add) and isinstance(op.fixed, LinearSum)
        assert op.fixed.bits == 32


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([Add(), Sub()]), st.floats(0.1, 4), st.floats(0.1, 4), st.integers(0, 1000))
def test_16_bit_sum_is_within_2_to_the_minus_12_of_a_rounding(op: Op, ra: float, rb: float, seed: int) -> None:
    a, b = stored_tensor("a", (500,), ra * 1e-3, 0, DType.I16), stored_tensor("b", (500,), rb * 1e-3, 0, DType.I16)
    node = fixed_node(op, [a, b], [stored_tensor("y", (500,), 1e-3, 0, DType.I16)])
    assert worst_error(node, random_stored(a, seed), random_stored(b, seed + 1)) <= 0.5 + 2.0**-12


def test_sum_by_hand() -> None:
    """0.5*(4-2) + 0.25*(-3-1) = 0 real, 0.5*(5-2) + 0.25*(2-1) = 1.75 real: steps of 0.5 above zero 7."""
    node = grid_node(Add(), [(0.5, 2), (0.25, 1), (0.5, 7)])
    table = node.op.reference_int(node, *GRID)[0]
    assert table[4 + 128, -3 + 128] == 7
    assert table[5 + 128, 2 + 128] == 11  # 3.5 steps: a tie goes up
    assert table[2 + 128, -3 + 128] == 5  # -2 steps
    assert table[1 + 128, 2 + 128] == 7  # -0.5 steps: a tie goes up


def test_sum_is_clipped() -> None:
    node = grid_node(Add(clip=Clip(0.0, 6.0)), [(0.5, 2), (0.25, 1), (0.5, 7)])
    table = node.op.reference_int(node, *GRID)[0]
    assert (table.min(), table.max()) == (7, 19)


def test_sum_that_cannot_be_held_is_an_error() -> None:
    with pytest.raises(CompileError) as error:
        grid_node(Add(), [(1e6, 0), (1e6, 0), (1e-6, 0)])
    assert error.value.code == "E0204"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(scales, zeros), min_size=3, max_size=3))
def test_8_bit_product_rounds_the_real_value(quants: list[tuple[float, int]]) -> None:
    assume(quants[0][0] * quants[1][0] < quants[2][0] * 2**15)  # of up to 255 * 255: what needs 32 bits is refused
    assert worst_error(grid_node(Mul(), quants), *GRID) <= 0.5 + 2.0**-12


def test_16_bit_product_rounds_the_real_value() -> None:
    a, b = stored_tensor("a", (5000,), 1e-3, 0, DType.I16), stored_tensor("b", (5000,), 2e-3, 0, DType.I16)
    node = fixed_node(Mul(), [a, b], [stored_tensor("y", (5000,), 0.07, 0, DType.I16)])
    assert worst_error(node, random_stored(a), random_stored(b, 1)) <= 0.5 + 2.0**-12


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(scales, zeros), min_size=3, max_size=3))
def test_8_bit_quotient_rounds_the_real_value(quants: list[tuple[float, int]]) -> None:
    assume(quants[0][0] / quants[1][0] / quants[2][0] < 2**22)
    node = grid_node(Div(), quants)
    found, b = errors(node, *GRID)[0], GRID[1][0].astype(int) - quants[1][1]
    assert np.nanmax(found[:, b != 0]) <= 0.5 + 2.0**-13
    beyond = node.op.reference_int(node, *GRID)[0][:, b == 0]
    sign = np.sign(every_value(DType.I8).astype(int) - quants[0][1])
    expected = np.select([sign > 0, sign < 0], [127, -128], quants[2][1])
    assert np.array_equal(beyond.ravel(), expected[: beyond.size])


def test_16_bit_quotient_rounds_the_real_value() -> None:
    a, b = stored_tensor("a", (5000,), 1e-3, 0, DType.I16), stored_tensor("b", (5000,), 2e-3, 0, DType.I16)
    node = fixed_node(Div(), [a, b], [stored_tensor("y", (5000,), 0.01, 0, DType.I16)])
    assert worst_error(node, random_stored(a), random_stored(b, 1)) <= 0.5 + 2.0**-8


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(scales, zeros), min_size=3, max_size=3))
def test_32_bit_quotient_never_overflows(quants: list[tuple[float, int]]) -> None:
    assume(quants[0][0] / quants[1][0] / quants[2][0] < 2**22)
    op = grid_node(Div(), quants).op
    assert isinstance(op, Div) and op.fixed and op.fixed.bits == 32
    assert 255 * op.fixed.multiplier + (255 << op.fixed.shift) // 2 < 1 << 31
    assert 255 << op.fixed.shift < 1 << 31


@pytest.mark.parametrize(("op", "pick"), [(Max(), np.maximum), (Min(), np.minimum)])
def test_extremes_compare_stored_values(op: Op, pick: np.ufunc) -> None:
    node = grid_node(op, [(0.1, 3)] * 3)
    assert np.array_equal(node.op.reference_int(node, *GRID)[0], pick(*GRID))
    node = grid_node(op, [(0.1, 3), (0.1, 3), (0.2, 3)])
    with pytest.raises(AssertionError, match="does not rescale"):
        node.op.reference_int(node, *GRID)
