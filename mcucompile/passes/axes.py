"""How a Reshape looks when the axes of its operand come in another order."""

from __future__ import annotations

from ..ir import Perm, Shape


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
