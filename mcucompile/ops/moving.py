"""How operators that several files have take transpositions."""

from __future__ import annotations

from ..ir import Moved, Op, Perm


def moved_before_last(op: Op, perm: Perm) -> Moved | None:
    """Of an operator along the last axis: what happens there stays there."""
    return Moved(op, perm) if perm[-1] == len(perm) - 1 else None
