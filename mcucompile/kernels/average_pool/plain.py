"""Mean over a window, for every type and core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, DType, Node
from ...ops.average_pool import AveragePool
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..kernel import Packed
from ..limits import Number, bounds
from ..pooling import PoolWalk, pool_counts, pool_trace, pool_walk
from ..scaling import Scaling, is_wide, requant_of, scaling
from ..trace import Trace

COSTS: Costs = {  # per tap, row of taps, output, row with borders
    "cortex-m0": (11.7, 0.0, 16.5, 30.3),
    "cortex-m3": (8.48, 0.0, 8.09, 11.5),
    "cortex-m4": (8.48, 0.0, 5.54, 11.2),
    "cortex-m7": (5.45, 0.0, 4.78, 13.1),
    "cortex-m33": (5.88, 1.3, 9.02, 10.0),
    "cortex-m55": (4.97, 2.82, 11.1, 12.6),
}


@dataclass(frozen=True)
class AveragePoolParams:
    """`scaling`, or a division by `divisor`. Windows that differ in their count of taps (`divisor` and the scaling's
    multiplier are None then) belong to class row_class[oy] + column_class[ox], by which the arrays are indexed.
    """

    walk: PoolWalk
    x_type: str
    y_type: str
    acc_type: str
    x_zero: int
    scaling: Scaling | None
    divisor: int | None
    has_classes: bool
    low: Number | None
    high: Number | None


class Plain(Counted):
    op = AveragePool
    variant = "plain"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype.is_integer == node.output.dtype.is_integer

    def params(self, node: Node) -> AveragePoolParams:
        x, divisors = node.inputs[0], np.unique(counts(node))
        many = len(divisors) > 1
        is_float, is_scaled = x.dtype is DType.F32, has_requant(node)
        return AveragePoolParams(
            pool_walk(node),
            x.dtype.c,
            node.output.dtype.c,
            "float" if is_float else "int64_t" if is_wide(node) else "int32_t",
            x.quant.zero if x.quant and is_scaled else 0,
            scaling(node, is_wide(node)) if is_scaled else None,
            None if many else int(divisors[0]),
            many,
            *bounds(node),
        )

    def constants(self, node: Node) -> tuple[Packed, ...]:
        matrix = counts(node)
        if len(np.unique(matrix)) == 1:
            return ()
        kinds, row_class, column_class = classes(matrix)
        tables = tuple(Packed(role, values) for role, values in factors(node, kinds))
        return (*tables, Packed("row_class", row_class), Packed("column_class", column_class))

    def trace(self, node: Node) -> Trace:
        return pool_trace(node)

    def counts(self, node: Node) -> tuple[float, ...]:
        return pool_counts(node)


def counts(node: Node) -> Array:
    """The divisor at every output position."""
    assert isinstance(node.op, AveragePool)
    return node.op.counts(*node.inputs[0].shape[1:3])


def has_requant(node: Node) -> bool:
    return getattr(node.op, "requant", None) is not None


def classes(matrix: Array) -> tuple[Array, Array, Array]:
    """Different rows and columns of [OH,OW]: their values [rows * columns], and every row's and column's class."""
    rows, row_index = np.unique(matrix, axis=0, return_inverse=True)
    kinds, column_index = np.unique(rows, axis=1, return_inverse=True)
    row_class = row_index.ravel() * kinds.shape[1]
    return kinds.ravel(), row_class.astype(np.int16), column_index.ravel().astype(np.int16)


def factors(node: Node, divisors: Array) -> list[tuple[str, Array]]:
    """What the C function needs to know about each divisor."""
    if not has_requant(node):
        return [("divisor", divisors.astype(np.int32))]
    assert isinstance(node.op, AveragePool)
    assert node.op.divisors is not None
    index, requant, shape = np.searchsorted(node.op.divisors, divisors), requant_of(node), scaling(node, is_wide(node))
    arrays: list[tuple[str, Array]] = []
    if shape.multiplier is None:
        arrays.append(("multiplier", np.asarray(requant.multipliers, np.int32)[index]))
    if shape.shift is None:
        shifts = np.asarray(requant.shifts, np.int64) - shape.implied_shift
        arrays.append(("shift", shifts.astype(np.uint8)[index]))
    return arrays
