"""Spreads an arena over several memories where one is too small.

Decided: whatever makes the first memory too small moves on to the next one, buffer by buffer, the peak first; each
memory is then planned on its own. Instead of: one search over all placements, which gains little, since buffers in
different memories do not meet.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from ..ir import Bank
from .check_plan import PlanError
from .memory import Buffer, MemoryPlan, Problem
from .plan import EFFORT, peak_step, plan, step_bound

ALIGNMENT = 8  # of every bank's first byte


@dataclass(frozen=True)
class BankedPlan:
    """A plan whose offsets count through all banks, each of which begins at its `base`."""

    plan: MemoryPlan
    banks: tuple[Bank, ...]


def plan_banks(problem: Problem, capacities: Sequence[int]) -> BankedPlan | None:
    """A plan in memories of these sizes in bytes, the first ones preferred; None if none was found."""
    offsets: dict[str, int] = {}
    banks: list[Bank] = []
    rest, base, bound = problem, 0, 0
    for region, capacity in enumerate(capacities):
        is_last = region == len(capacities) - 1
        kept = fitting(rest, capacity if is_last else capacity // ALIGNMENT * ALIGNMENT)
        if kept is None:
            continue
        found = plan(kept)
        offsets |= {name: base + at for name, at in found.offsets.items()}
        banks.append(Bank(base, found.arena_nbytes, region))
        base, bound = -(-(base + found.arena_nbytes) // ALIGNMENT) * ALIGNMENT, bound + found.lower_bound
        rest = without(rest, set(found.offsets))
        if not rest.buffers:
            return BankedPlan(MemoryPlan(offsets, banks[-1].base + banks[-1].nbytes, bound, False), tuple(banks))
    return None


def check_banks(problem: Problem, banked: BankedPlan, capacities: Sequence[int]) -> None:
    """Raise PlanError unless every buffer lies, aligned, in one bank, and every bank in its memory."""
    for bank in banked.banks:
        if bank.nbytes > capacities[bank.region]:
            raise PlanError(f"a bank of {bank.nbytes} bytes is in a memory of {capacities[bank.region]}")
    for b in problem.buffers:
        at = banked.plan.offsets[b.name]
        inside = [k for k in banked.banks if k.base <= at <= k.base + k.nbytes - b.nbytes]
        if len(inside) != 1 or (at - inside[0].base) % b.alignment:
            raise PlanError(f"{b.name} at byte {at} does not lie in one bank, aligned to {b.alignment}")


def fitting(problem: Problem, capacity: int) -> Problem | None:
    """As much of the problem as has a plan of `capacity` bytes. For all of it that is searched thoroughly."""
    kept = problem
    while kept.buffers:
        step, effort = peak_step(kept), EFFORT if kept is problem else 0
        if step_bound(kept, step) <= capacity and plan(kept, effort).arena_nbytes <= capacity:
            return kept
        kept = without(kept, {evicted(kept, step, capacity).name})
    return None


def evicted(problem: Problem, step: int, capacity: int) -> Buffer:
    """The smallest live buffer without which the step fits, else the largest; of equals the one that lives longest."""
    excess = step_bound(problem, step) - capacity
    live = sorted(problem.live(step), key=lambda b: (b.nbytes, b.first - b.last))
    return next((b for b in live if b.nbytes >= excess), live[-1])


def without(problem: Problem, names: Set[str]) -> Problem:
    buffers = tuple(b for b in problem.buffers if b.name not in names)
    gaps = {pair: distance for pair, distance in problem.gaps.items() if names.isdisjoint(pair)}
    return Problem(buffers, gaps)
