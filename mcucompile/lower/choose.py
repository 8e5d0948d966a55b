"""Which kernel computes each node of a network: cycles, flash and RAM weighed against each other.

Decided: for every height that the arena could have, each node takes its cheapest kernel among those that fit under it;
then the best height is taken. Kernels with equal parameters share their code, so nodes are looked at again until none
wants to change. Instead of: an integer program, which would need a solver for a gain of a few hundred bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from ..ir import Graph, Node
from ..kernels.kernel import Kernel
from ..target.cores import Core, Isa
from .goal import Goal, Scale, Weights
from .memory import Schedule, lifetimes, most_overlap, step_gaps
from .order import best_order, peak_live_nbytes
from .select import fastest, fitting
from .steps import Chosen, memory_step, schedule_of
from .views import Views

FAR_SLOWER = 4.0
MOST_HEIGHTS = 24  # of the arena that are tried
ROUNDS = 8  # of nodes changing their kernels
HARDER = 1.5  # by which flash weighs more as long as it is above its limit
MOST_HARDER = 40
LEAST_WEIGHT = 0.01


@dataclass(frozen=True, eq=False)
class Candidate:
    """A kernel for a node: estimated cycles, what it puts into flash, and bytes of live memory while it runs.

    `parts` are what other nodes may use too, a function and constants, with their bytes.
    """

    kernel: Kernel
    cycles: float
    parts: tuple[tuple[Hashable, int], ...]
    live_nbytes: int

    @property
    def flash_nbytes(self) -> int:
        return sum(nbytes for _, nbytes in self.parts)


Row = Sequence[Candidate]  # what one node may take


@dataclass(frozen=True, eq=False)
class Choice:
    """A candidate for every node of `nodes`, and what they come to."""

    nodes: tuple[Node, ...]
    candidates: tuple[Candidate, ...]

    @property
    def cycles(self) -> float:
        return sum(c.cycles for c in self.candidates)

    @property
    def flash_nbytes(self) -> int:
        parts = {key: nbytes for c in self.candidates for key, nbytes in c.parts}
        return sum(parts.values())

    @property
    def ram_nbytes(self) -> int:
        return max((c.live_nbytes for c in self.candidates), default=0)

    def kernel_of(self, node: Node, *_: object) -> Kernel:
        """For `lower`."""
        return self._kernels[node]

    @cached_property
    def _kernels(self) -> Mapping[Node, Kernel]:
        return {n: c.kernel for n, c in zip(self.nodes, self.candidates, strict=True)}


def scale_of(table: Sequence[Row]) -> Scale:
    cycles = sum(min(c.cycles for c in row) for row in table)
    flash = sum(min((c.flash_nbytes for c in plain(row)), default=0) for row in table)
    ram = max((min(c.live_nbytes for c in row) for row in table), default=0)
    return Scale(max(cycles, 1), max(flash, 1), max(ram, 1))


def plain(row: Row) -> Row:
    """The candidates with plain weights, or all where there is none."""
    return [c for c in row if c.kernel.encoding == "plain"] or row


def choose(graph: Graph, core: Core, isa: Isa, goal: Goal) -> Choice:
    """The kernels of a whole graph. Raises E0401 where a node has none.

    A limit that no choice found keeps is missed; whether it was is for the caller to see.
    """
    nodes, table = candidates(graph, core, isa)
    scale, table = scale_of(table), worthwhile(table)
    best = cheapest(nodes, table, goal, Weights.of(goal, scale))
    limit = goal.flash_limit
    if limit is None or best.flash_nbytes <= limit:
        return best
    is_hopeless = least_flash(table) > limit
    for power in (MOST_HARDER,) if is_hopeless else range(1, MOST_HARDER + 1):
        harder = replace(goal, flash=max(goal.flash, LEAST_WEIGHT) * HARDER**power)
        best = cheapest(nodes, table, harder, Weights.of(harder, scale))
        if best.flash_nbytes <= limit:
            break
    return best


def least_flash(table: Sequence[Row]) -> float:
    """Bytes that no choice goes below: as if everybody who could use a part did, and took its share."""
    users = possible(table)
    return sum(min((sum(nbytes / users[key] for key, nbytes in c.parts) for c in row), default=0) for row in table)


def least_arena(graph: Graph, isa: Isa) -> int:
    """About the smallest arena in the graph's own order: every node takes a kernel that needs little but operands."""
    views = Views(graph)
    chosen = [Chosen(n, leanest(n, fitting(n, isa))) for n in graph.nodes if not views.is_free(n)]
    return peak_live_nbytes(schedule_of(graph, chosen, views))


def candidates(graph: Graph, core: Core, isa: Isa) -> tuple[tuple[Node, ...], list[Row]]:
    """The nodes that need a kernel, and what each may take."""
    views = Views(graph)
    nodes = [n for n in graph.nodes if not views.is_free(n)]
    trial = [Chosen(n, fastest(n, core, isa)) for n in nodes]
    schedule = schedule_of(graph, trial, views)
    order = best_order(schedule).order
    ordered = [nodes[k] for k in order]
    memory = Memory(schedule.reordered(order), views)
    return tuple(ordered), [
        [memory.candidate(k, n, c, core) for c in plausible(n, core, isa)] for k, n in enumerate(ordered)
    ]


def worthwhile(table: Sequence[Row]) -> list[Row]:
    """The table without what is pointless."""
    shared = {key for key, rows in possible(table).items() if rows > 1}
    return [list(undominated(row, shared)) for row in table]


def plausible(node: Node, core: Core, isa: Isa) -> list[Kernel]:
    """The fitting kernels without those that are far slower than another one. Of these the leanest one stays, and of
    those with encoded weights the smallest: where flash weighs most, that may be worth all the time.
    """
    kernels = fitting(node, isa)
    speed = [(k, k.cycles(node, core)) for k in kernels]
    limit = FAR_SLOWER * min(cycles for _, cycles in speed)
    extreme = leanest(node, kernels), *smallest(node, speed)
    return [k for k, cycles in speed if cycles <= limit or k in extreme]


def leanest(node: Node, kernels: Sequence[Kernel]) -> Kernel:
    """The kernel that needs the least memory besides its operands, as far as that can be told without a plan."""
    return min(kernels, key=lambda k: (k.trace(node) is None, k.scratch_nbytes(node)))


def smallest(node: Node, speed: Sequence[tuple[Kernel, float]]) -> list[Kernel]:
    """Of the kernels with encoded weights the one with the fewest bytes of constants, of equals the one with the least
    scratch, then the fastest; none where there are none. `speed` has the cycles of each.
    """

    def need(k: Kernel, cycles: float) -> tuple[int, int, float]:
        return sum(p.values.nbytes for p in k.constants(node)), k.scratch_nbytes(node), cycles

    encoded = [(k, cycles) for k, cycles in speed if k.encoding != "plain"]
    return [k for k, _ in sorted(encoded, key=lambda pair: need(*pair))[:1]]


class Memory:
    """How much is live in each step, whatever kernel computes it."""

    def __init__(self, schedule: Schedule, views: Views) -> None:
        self.schedule, self.views = schedule, views
        scratch = {n for s in schedule.steps for n in s.scratch}
        self.lives = {n: life for n, life in lifetimes(schedule).items() if n not in scratch}

    def candidate(self, step: int, node: Node, kernel: Kernel, core: Core) -> Candidate:
        # Bands of one layer have its constants, packed alike; so have equal layers.
        given = [id(t.const) for t in node.inputs if t.const is not None]
        key = (kernel.template, kernel.variant, *given, repr(node.op)) if given else object()
        constants = key, sum(p.values.nbytes for p in kernel.constants(node))
        code = (kernel.template, kernel.params(node)), kernel.code_nbytes(node)
        parts = (((part.template, part.params), part.code_nbytes) for part in kernel.parts(node))
        live = self.live_nbytes(step, Chosen(node, kernel)) + kernel.scratch_nbytes(node)
        return Candidate(kernel, kernel.cycles(node, core), (code, constants, *parts), live)

    def live_nbytes(self, k: int, chosen: Chosen) -> int:
        """Tensors that are live in a step, less what inputs that die there can share with outputs that are born."""
        nbytes, step = self.schedule.nbytes, memory_step(chosen, self.views)
        dying = {n: nbytes[n] for n in step.inputs if self.lives[n][1] == k}
        born = {n: nbytes[n] for n in step.outputs if self.lives[n][0] == k}
        gaps = step_gaps(step, nbytes, dying, born)
        live = sum(nbytes[n] for n, (first, last) in self.lives.items() if first <= k <= last)
        return live - (most_overlap(dying, born, gaps) if gaps else 0)


def possible(table: Sequence[Row]) -> Counter[Hashable]:
    """For every function and every constant, how many nodes could use it."""
    return Counter(key for row in table for key in {key for c in row for key, _ in c.parts})


def undominated(row: Row, shared: Collection[object]) -> Iterable[Candidate]:
    """Without those that another one with the same or less of everything makes pointless; the first of equals stays.

    What several nodes could share is never pointless.
    """
    for i, c in enumerate(row):
        others = (d for j, d in enumerate(row) if j != i and (j < i or measures(d) != measures(c)))
        is_pointless = any(all(x <= y for x, y in zip(measures(d), measures(c), strict=True)) for d in others)
        if not is_pointless or any(key in shared for key, _ in c.parts):
            yield c


def measures(c: Candidate) -> tuple[float, int, int]:
    return c.cycles, c.flash_nbytes, c.live_nbytes


def cheapest(nodes: tuple[Node, ...], table: Sequence[Row], goal: Goal, weights: Weights) -> Choice:
    """The best choice over all heights of the arena within the goal's limit, or at the least height there is."""
    best, lowest = None, None
    for height in heights(table):
        if best is not None and goal.ram_limit is not None and height > goal.ram_limit:
            break
        rows = [[c for c in row if c.live_nbytes <= height] for row in table]
        choice = Choice(nodes, tuple(settled(rows, weights)))
        cost = total(choice, weights)
        if lowest is None or cost < lowest:
            best, lowest = choice, cost
    assert best is not None
    return best


def heights(table: Sequence[Row]) -> list[int]:
    """Arena sizes worth trying, from the least possible one on."""
    least = max((min(c.live_nbytes for c in row) for row in table), default=0)
    above = sorted({c.live_nbytes for row in table for c in row if c.live_nbytes > least})
    step = max(1, -(-len(above) // MOST_HEIGHTS))
    return [least, *above[step - 1 :: step], *above[-1:]]


def total(choice: Choice, weights: Weights) -> float:
    flash, ram = weights.flash * choice.flash_nbytes, weights.ram * choice.ram_nbytes
    return weights.cycle * choice.cycles + flash + ram


def settled(rows: Sequence[Row], weights: Weights) -> list[Candidate]:
    """For every row the candidate that adds the least cost, what another row puts into flash anyway being free."""
    users = possible(rows)

    def alone(c: Candidate) -> float:
        """As if everybody who could use a part took its share."""
        return weights.cycle * c.cycles + weights.flash * sum(nbytes / users[key] for key, nbytes in c.parts)

    def added(c: Candidate, present: Counter[Hashable]) -> float:
        return weights.cycle * c.cycles + weights.flash * sum(nbytes for key, nbytes in c.parts if not present[key])

    taken = [min(row, key=alone) for row in rows]
    present = Counter(key for c in taken for key, _ in c.parts)
    for _ in range(ROUNDS):
        before = list(taken)
        for k, row in enumerate(rows):
            present.subtract(key for key, _ in taken[k].parts)
            taken[k] = min(row, key=partial(added, present=present))
            present.update(key for key, _ in taken[k].parts)
        if taken == before:
            break
    return taken
