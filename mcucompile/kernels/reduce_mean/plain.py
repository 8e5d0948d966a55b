"""Mean over some axes, for every type and core."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ...ir import DType, Node
from ...ops.reduce_mean import ReduceMean
from ...target.cores import Isa
from ..average_pool.sums import mean_walk
from ..counted import Costs, Counted
from ..moves import merged_axes, strides_of
from ..pooling import row_sweeps
from ..scaling import Scaling, is_wide, scaling
from ..trace import Trace

COSTS: Costs = {  # per input and output
    "cortex-m0": (9.74, 67.7),
    "cortex-m3": (7.62, 19.5),
    "cortex-m4": (7.65, 14.9),
    "cortex-m7": (3.97, 16.4),
    "cortex-m33": (5.98, 13.8),
    "cortex-m55": (3.99, 20.9),
}

Axes = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ReduceMeanParams:
    """`kept` and `reduced` are (count, stride) of the loops over outputs and over what one output is the mean of."""

    kept: Axes
    reduced: Axes
    x_type: str
    y_type: str
    acc_type: str
    x_zero: int
    scaling: Scaling | None
    count: int


class Plain(Counted):
    op = ReduceMean
    variant = "plain"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype.is_integer == node.output.dtype.is_integer

    def params(self, node: Node) -> ReduceMeanParams:
        x, y = node.inputs[0], node.output
        kept, reduced = loops(node)
        is_float = x.dtype is DType.F32
        return ReduceMeanParams(
            kept,
            reduced,
            x.dtype.c,
            y.dtype.c,
            "float" if is_float else "int64_t" if is_wide(node) else "int32_t",
            x.quant.zero if x.quant else 0,
            None if is_float else scaling(node, is_wide(node)),
            prod(count for count, _ in reduced),
        )

    def trace(self, node: Node) -> Trace:
        return mean_trace(node)

    def counts(self, node: Node) -> tuple[float, ...]:
        return node.inputs[0].size, node.output.size


def mean_trace(node: Node) -> Trace:
    """That of a pool with one output pixel, where the mean is over neighbouring axes."""
    walk, x, y = mean_walk(node), node.inputs[0].dtype, node.output.dtype
    return None if walk is None else tuple(row_sweeps(walk, x.nbytes, y.nbytes))


def loops(node: Node) -> tuple[Axes, Axes]:
    """The axes that stay and those that vanish, neighbours merged."""
    assert isinstance(node.op, ReduceMean)
    shape = node.inputs[0].shape
    strides, axes = strides_of(shape), node.op.axes

    def merged(vanishing: bool) -> Axes:
        chosen = [i for i in range(len(shape)) if (i in axes) is vanishing]
        return tuple(merged_axes([shape[i] for i in chosen], [strides[i] for i in chosen]))

    return merged(False), merged(True)
