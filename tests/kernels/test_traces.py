"""Traces against a replay of the kernels element by element: no trace may allow an overlap that the replay forbids."""

from __future__ import annotations

import numpy as np
import pytest
from one_node import activation

from mcucompile.ir import Array, Node, Op, Shape
from mcucompile.kernels.kernel import Kernel
from mcucompile.kernels.max_pool.plain import Plain as MaxPoolKernel
from mcucompile.kernels.pad.move import MovePad
from mcucompile.kernels.resize.move import MoveResize
from mcucompile.kernels.slice.move import MoveSlice
from mcucompile.kernels.sweeps import Access, downward, upward
from mcucompile.kernels.trace import Range, Sweep
from mcucompile.kernels.transpose.move import MoveTranspose
from mcucompile.lower.memory import min_distance, min_distance_above
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.pad import Pad
from mcucompile.ops.resize import Resize
from mcucompile.ops.slice import Slice
from mcucompile.ops.transpose import Transpose
from mcucompile.ops.window import Window

NONE = -1


def replayed(lowest: Array, highest: Array) -> tuple[int, int]:
    """The distances that are safe when output k is written right after inputs lowest[k]..highest[k] were read.

    Both are the largest demand of a write and a later read, as `min_distance` defines them; NONE is no read.
    """
    above, below = -(1 << 40), -(1 << 40)
    for k in range(lowest.size):
        later = lowest[k + 1 :] != NONE
        if later.any():
            above = max(above, k + 1 - int(lowest[k + 1 :][later].min()))
            below = max(below, int(highest[k + 1 :][later].max()) + 1 - k)
    return above, below


def distances(kernel: Kernel, op: Op, shape: Shape) -> tuple[int, int, int, int]:
    x, y = activation("x", shape), activation("y", op.infer(shape)[0])
    trace = kernel.trace(Node(op, [x], [y], ("n",)))
    assert trace is not None
    return (
        min_distance(trace, 0, 1, x.nbytes), min_distance_above(trace, 0, 1, y.nbytes), -x.nbytes, -y.nbytes
    )  # fmt: skip


def check_moved(kernel: Kernel, op: Op, shape: Shape, slack: int) -> None:
    """Every output element is one input element, or a fill value."""
    source = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    (moved,) = op.reference(source)
    check_distances(kernel, op, shape, moved.ravel(), moved.ravel(), slack)


def check_distances(kernel: Kernel, op: Op, shape: Shape, lowest: Array, highest: Array, slack: int) -> None:
    above, below, least_above, least_below = distances(kernel, op, shape)
    wanted_above, wanted_below = replayed(lowest, highest)
    assert above >= max(wanted_above, least_above)
    assert below >= max(wanted_below, least_below)
    assert above <= max(wanted_above, least_above) + slack


MOVES: tuple[tuple[Kernel, Op, Shape, int], ...] = (
    (MoveSlice(), Slice((1,), (5,), (1,)), (8,), 0),
    (MoveSlice(), Slice((0, 2), (6, 3), (1, 1)), (6, 5), 1),
    (MoveSlice(), Slice((4, 3), (3, 4), (-2, -1)), (5, 4), 1),
    (MovePad(), Pad((2,), (1,), stored=NONE), (5,), 0),
    (MovePad(), Pad((1, 1, 0), (1, 1, 0), stored=NONE), (4, 5, 3), 15 + 6),
    (MoveResize(), Resize((2, 3)), (1, 4, 3, 2), 1),
    (MoveTranspose(), Transpose((1, 0)), (4, 6), 1),
    (MoveTranspose(), Transpose((0, 2, 1)), (3, 4, 6), 1),
)


@pytest.mark.parametrize(("kernel", "op", "shape", "slack"), MOVES, ids=lambda v: str(v) if isinstance(v, Op) else "")
def test_moves(kernel: Kernel, op: Op, shape: Shape, slack: int) -> None:
    check_moved(kernel, op, shape, slack)


@pytest.mark.parametrize(
    "window", [Window((3, 3), (1, 1), (1, 1, 1, 1)), Window((2, 2), (2, 2)), Window((5, 6))], ids=str
)
def test_pools(window: Window) -> None:
    """At most two rows of the output are given away."""
    op, shape = MaxPool(window), (2, 5, 6, 3)
    index = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    lowest = window.views(index, 1 << 40).min(axis=(-2, -1)).ravel()
    highest = window.views(index, NONE).max(axis=(-2, -1)).ravel()
    row = op.infer(shape)[0][2] * 3
    check_distances(MaxPoolKernel(), op, shape, lowest, highest, 2 * row)


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 160, 1000])
@pytest.mark.parametrize(("x", "y"), [(1, 1), (1, 4), (4, 1), (2, 4), (4, 2), (2, 2)])
@pytest.mark.parametrize("walk", [upward, downward])
def test_chunks_promise_no_more_than_single_steps(count: int, x: int, y: int, walk: object) -> None:
    assert walk in (upward, downward)
    coarse = (upward if walk is upward else downward)(count, [Access(0, x, x)], [Access(1, y, y)])
    first_x, first_y, sign = (0, 0, 1) if walk is upward else ((count - 1) * x, (count - 1) * y, -1)
    fine = (Sweep(count, (Range(0, first_x, sign * x, x),), (Range(1, first_y, sign * y, y),)),)
    assert min_distance(coarse, 0, 1, count * x) == min_distance(fine, 0, 1, count * x)
    assert min_distance_above(coarse, 0, 1, count * y) == min_distance_above(fine, 0, 1, count * y)


def test_repeated_operand_is_read_to_the_end() -> None:
    """A write over an operand that every step reads would be seen by all later steps."""
    trace = upward(500, [Access(0, 5, 0)], [Access(1, 1, 1)])
    assert min_distance(trace, 0, 1, 5) == 499
