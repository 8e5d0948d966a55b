"""What becomes of the number P of places where signs differ, which is all that a binary kernel counts.

With K places of a window in the image, m in the padding where the weights are +1 (windows.py), and weights of magnitude
f, the sum is f * (K + 2m - 2P). Per class of output pixels and channel a kernel has

    with thresholds t:   -1 - m - floor((K - t) / 2), from which it starts to count: +1 where that ends below 0
    otherwise:           K + 2m, where there are several classes; a single K is part of the bias, or a literal
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ...ir import Array, DType, Node
from ...ops.binary_conv2d import stored_signs
from ..kernel import Packed
from ..limits import Bounds, bounds
from ..scaling import Scaling, scaling, scaling_constants, settled_bias
from .windows import classes, op_of, weights_of


class Kind(Enum):
    """What is stored for an output."""

    BITS = "bits"
    SIGNS = "signs"
    SCALED = "scaled"
    REAL = "real"


@dataclass(frozen=True)
class Result:
    """`level_type` is of the array of levels, as above; "" where there is none. `factor` is f, None where channels do
    not share it; `places` a K that all windows share; `signs` what is stored for +1 and -1.
    """

    kind: Kind
    y_type: str
    level_type: str
    classes: int
    places: int
    factor: int | None
    signs: tuple[int, int]
    scaling: Scaling | None
    limits: Bounds

    @property
    def counts_from_level(self) -> bool:
        return self.kind in (Kind.BITS, Kind.SIGNS)


def kind_of(node: Node) -> Kind:
    y = node.output
    if op_of(node).thresholds is not None:
        return Kind.BITS if y.dtype is DType.U32 else Kind.SIGNS
    return Kind.REAL if y.dtype is DType.F32 else Kind.SCALED


def result(node: Node) -> Result:
    kind, found, factors = kind_of(node), classes(node), np.unique(magnitudes(node))
    level = levels(node)
    return Result(
        kind,
        node.output.dtype.c,
        "" if level is None else f"{level.dtype.name}_t",
        len(found.places),
        int(found.places[0]),
        int(factors[0]) if kind is Kind.SCALED and len(factors) == 1 else None,
        stored_signs(node.output) if kind is Kind.SIGNS else (1, -1),
        scaling(node) if kind is Kind.SCALED else None,
        bounds(node) if kind is Kind.REAL else (None, None),
    )


def magnitudes(node: Node) -> Array:
    """Of the weights of each output channel; 0 where all are 0."""
    weight = weights_of(node)
    wide = weight.astype(np.float32 if weight.dtype == np.float32 else np.int64)
    return np.asarray(np.abs(wide).reshape(len(weight), -1).max(axis=1))


def levels(node: Node) -> Array | None:
    """[classes, O] in the narrowest type."""
    found, thresholds = classes(node), op_of(node).thresholds
    places = found.places[:, None]
    if thresholds is not None:
        level = -1 - found.differences - (places - np.asarray(thresholds, np.int64)) // 2
    elif len(found.places) > 1:
        level = places + 2 * found.differences
    else:
        return None
    return np.asarray(level.astype(np.int16 if np.abs(level).max() < 1 << 15 else np.int32))


def result_constants(node: Node) -> tuple[Packed, ...]:
    """In the order of a kernel's parameters: classes of rows and columns, levels, then per channel factors, biases,
    multipliers and shifts, as far as the kernel needs them.
    """
    made, kind, level, found = result(node), kind_of(node), levels(node), classes(node)
    constants = []
    if made.classes > 1:
        constants.append(Packed("border", np.asarray([*found.of_rows, *found.of_columns], np.uint8)))
    if level is not None:
        constants.append(Packed("level", level))
    if kind is Kind.REAL:
        bias = node.inputs[2].const
        assert bias is not None
        return (*constants, Packed("factor", magnitudes(node)), Packed("bias", bias))
    if kind is Kind.SCALED:
        if made.factor is None:
            constants.append(Packed("factor", magnitudes(node).astype(np.int16)))
        constants.append(Packed("bias", folded_bias(node)))
        return (*constants, *scaling_constants(node, node.output.shape[-1]))
    return tuple(constants)


def folded_bias(node: Node) -> Array:
    """b + f * K of a single class."""
    bias = node.inputs[2].const
    assert bias is not None
    places = classes(node).places
    whole = settled_bias(node, bias.astype(np.int64)) + (magnitudes(node) * places[0] if len(places) == 1 else 0)
    return np.asarray(whole.astype(np.int32))
