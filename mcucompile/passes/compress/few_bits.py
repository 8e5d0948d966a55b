"""Weights that are on few bits already, as they come from training.

Rounding them anew would lose something, or spread few values over more integers: of -s, 0 and s, 4 bits make -7, 0 and
7, which take twice the flash of -1, 0 and 1. No other request of the recipe can have made them: a layer has one.
"""

from __future__ import annotations

import numpy as np

from ...ir import Array, Node
from .hessian import Reals, weight_rows
from .low_bits import Rounded, filled

CLOSE = 2.0**-22  # relative: float32 rounds an integer times a scale, and batch normalization folded into it
MOST = 31  # the largest integer of what counts as few bits


def kept_integers(node: Node, high: int) -> Rounded | None:
    """The layer's weights as integers, where they are some of -high..high times a scale per output channel.

    Also where they promise to be others of few bits, as a file with such weights has them. None for what is to be
    rounded.
    """
    found, own = smallest_integers(weight_rows(node), high), promised(node)
    if own is not None and own.high <= (MOST if found is None else found.high):
        return own
    return found


def promised(node: Node) -> Rounded | None:
    """By the grid that the weights promise to lie on."""
    rows, grid = weight_rows(node), node.inputs[1].grid
    if grid is None:
        return None
    scales = np.broadcast_to(np.asarray(grid.scales), rows.shape[0] * rows.shape[1]).reshape(rows.shape[:2])
    return Rounded(np.rint(rows / scales[..., None]), scales)


def smallest_integers(rows: Reals, high: int) -> Rounded | None:
    """The smallest integers up to `high` that give the values back, with their scale; None where a channel has none.

    `rows` [groups, outputs, inputs] are float32 values. The largest value of a channel is its largest integer's.
    """
    reach = np.abs(rows).max(axis=2, initial=0.0)
    scales, found = filled(reach), reach == 0
    q = np.zeros(rows.shape)
    for most in range(1, high + 1):
        missing = np.nonzero(~found)
        if not missing[0].size:
            break
        values, tried = rows[missing], filled(reach[missing] / most)
        steps = np.rint(values / tried[:, None])
        fits = is_close(steps * tried[:, None], values)
        at = tuple(index[fits] for index in missing)
        q[at], scales[at], found[at] = steps[fits], tried[fits], True
    return Rounded(q, scales) if found.all() else None


def is_close(got: Array, want: Array) -> Array:
    """Per row."""
    return np.asarray((np.abs(got - want) <= CLOSE * np.abs(want)).all(axis=1))
