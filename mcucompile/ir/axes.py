"""Orders of axes.

A transposition `perm` makes axis i of its result from axis perm[i] of its operand, as numpy's and ONNX's.
"""

from __future__ import annotations

from .dtype import Shape

Perm = tuple[int, ...]


def inverse(perm: Perm) -> Perm:
    return tuple(sorted(range(len(perm)), key=lambda i: perm[i]))


def composed(first: Perm, second: Perm) -> Perm:
    """transpose(transpose(x, first), second) = transpose(x, composed)."""
    return tuple(first[i] for i in second)


def keeps_order(perm: Perm, shape: Shape) -> bool:
    """Whether transposing a tensor of `shape` moves nothing but axes of size 1, so that memory stays as it is."""
    long = [p for p in perm if shape[p] != 1]
    return long == sorted(long)
