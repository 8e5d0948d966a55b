"""How an operator looks when the axes of its activations come in another order.

A transposition `perm` makes axis i of its result from axis perm[i] of its operand, as numpy's and ONNX's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from ..ir import Op, Shape
from ..ops.affine import Affine
from ..ops.binary import Binary
from ..ops.clamp import Clamp
from ..ops.concat import Concat
from ..ops.dense import Dense
from ..ops.dequantize import Dequantize
from ..ops.log_softmax import LogSoftmax
from ..ops.pad import Pad
from ..ops.prelu import PRelu
from ..ops.quantize import Quantize
from ..ops.reduce_mean import ReduceMean
from ..ops.slice import Slice
from ..ops.softmax import Softmax
from ..ops.split import Split
from ..ops.unary import Unary

Perm = tuple[int, ...]


@dataclass(frozen=True)
class Moved:
    """op(transpose(x, perm)) = transpose(self.op(x), self.perm)."""

    op: Op
    perm: Perm


def inverse(perm: Perm) -> Perm:
    return tuple(int(i) for i in np.argsort(perm))


def composed(first: Perm, second: Perm) -> Perm:
    """transpose(transpose(x, first), second) = transpose(x, composed)."""
    return tuple(first[i] for i in second)


def keeps_order(perm: Perm, shape: Shape) -> bool:
    """Whether transposing a tensor of `shape` moves nothing but axes of size 1, so that memory stays as it is."""
    long = [p for p in perm if shape[p] != 1]
    return long == sorted(long)


@singledispatch
def moved(op: Op, perm: Perm) -> Moved | None:
    """The same operator behind which the transposition comes instead of before; None where there is no such thing.

    Operators that are not listed here keep their transpositions.
    """
    return None


@moved.register(Unary)
@moved.register(Binary)
@moved.register(Clamp)
@moved.register(Quantize)
@moved.register(Dequantize)
def _(op: Op, perm: Perm) -> Moved | None:
    return Moved(op, perm)


@moved.register(Softmax)
@moved.register(LogSoftmax)
@moved.register(Affine)
@moved.register(Dense)
def _last_axis(op: Op, perm: Perm) -> Moved | None:
    """What happens along the last axis stays there."""
    return Moved(op, perm) if perm[-1] == len(perm) - 1 else None


@moved.register(Concat)
@moved.register(Split)
@moved.register(PRelu)
def _one_axis(op: Concat | Split | PRelu, perm: Perm) -> Moved | None:
    return Moved(replace(op, axis=perm[op.axis]), perm)


@moved.register
def _slice(op: Slice, perm: Perm) -> Moved | None:
    back = inverse(perm)
    starts, sizes, steps = (tuple(v[i] for i in back) for v in (op.starts, op.sizes, op.steps))
    return Moved(replace(op, starts=starts, sizes=sizes, steps=steps), perm)


@moved.register
def _pad(op: Pad, perm: Perm) -> Moved | None:
    back = inverse(perm)
    return Moved(replace(op, begins=tuple(op.begins[i] for i in back), ends=tuple(op.ends[i] for i in back)), perm)


@moved.register
def _reduce_mean(op: ReduceMean, perm: Perm) -> Moved | None:
    axes = tuple(sorted(perm[a] for a in op.axes))
    if op.keepdims:
        return Moved(replace(op, axes=axes), perm)
    left = [p for i, p in enumerate(perm) if i not in op.axes]
    return Moved(replace(op, axes=axes), tuple(sorted(left).index(p) for p in left))


def reshaped(perm: Perm, shape: Shape, target: Shape) -> tuple[Shape, Perm] | None:
    """The Reshape of a transposed tensor the other way round.

    reshape(transpose(x, perm), target) = transpose(reshape(x, new), moved) for x of `shape`: returns (new, moved), or
    None where the Reshape joins or cuts axes that lie apart in x. Axes of size 1 do not count.
    """
    groups = axis_groups([shape[p] for p in perm], target)
    if groups is None:
        return None
    long = [axis for axis, d in enumerate(shape) if d != 1]
    placed: list[tuple[int, list[int]]] = []
    for ins, outs in groups:
        places = [long.index(perm[i]) for i in ins]
        if places != list(range(places[0], places[0] + len(places))):
            return None
        placed.append((places[0], outs))
    order = [j for _, outs in sorted(placed) for j in outs]
    slots = [j for j, d in enumerate(target) if d != 1]
    at = dict(zip(order, slots, strict=True)) | {j: j for j, d in enumerate(target) if d == 1}
    new = [1] * len(target)
    for j, slot in at.items():
        new[slot] = target[j]
    return tuple(new), tuple(at[j] for j in range(len(target)))


def axis_groups(shape: list[int], target: Shape) -> list[tuple[list[int], list[int]]] | None:
    """Which axes of `shape` become which of `target` in a Reshape: the smallest groups of equal product, without 1s."""
    ins, outs = ([i for i, d in enumerate(s) if d != 1] for s in (shape, target))
    groups: list[tuple[list[int], list[int]]] = []
    while ins and outs:
        group = [ins.pop(0)], [outs.pop(0)]
        before, after = shape[group[0][0]], target[group[1][0]]
        while before != after:
            if before < after and ins:
                group[0].append(ins.pop(0))
                before *= shape[group[0][-1]]
            elif after < before and outs:
                group[1].append(outs.pop(0))
                after *= target[group[1][-1]]
            else:
                return None
        groups.append(group)
    return groups
