"""Random schedules whose steps walk through memory as kernels do, and their execution on real data."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count

from hypothesis import strategies as st

from mcucompile.lower.memory import Buffer, MemoryStep, Only, Problem, Range, Schedule, Sweep, Trace

Sweeps = tuple[Sweep, ...]
Made = tuple[tuple[int, ...], Trace]  # sizes of the outputs, trace


def elementwise(n: int, inputs: int = 1) -> Sweeps:
    return (Sweep(n, tuple(Range(i, 0, 1, 1) for i in range(inputs)), (Range(inputs, 0, 1, 1),)),)


def downward(n: int) -> Sweeps:
    return (Sweep(n, (Range(0, n - 1, -1, 1),), (Range(1, n - 1, -1, 1),)),)


def widening(n: int, factor: int) -> Sweeps:
    return (Sweep(n, (Range(0, 0, 1, 1),), (Range(1, 0, factor, factor),)),)


def rows(height: int, row_in: int, row_out: int) -> Sweeps:
    """A 3 x 3 convolution with padding 1 by rows: reads up to three input rows, writes one output row."""
    sweeps = []
    for r in range(height):
        first, last = max(r - 1, 0), min(r + 1, height - 1)
        read = Range(0, first * row_in, 0, (last - first + 1) * row_in)
        sweeps.append(Sweep(1, (read,), (Range(1, r * row_out, 0, row_out),)))
    return tuple(sweeps)


def concat(a: int, b: int) -> Sweeps:
    return (
        Sweep(a, (Range(0, 0, 1, 1),), (Range(2, 0, 1, 1),)),
        Sweep(b, (Range(1, 0, 1, 1),), (Range(2, a, 1, 1),)),
    )


def split(a: int, b: int) -> Sweeps:
    return (
        Sweep(a, (Range(0, 0, 1, 1),), (Range(1, 0, 1, 1),)),
        Sweep(b, (Range(0, a, 1, 1),), (Range(2, 0, 1, 1),)),
    )


def channels(n: int, count: int) -> Sweeps:
    """One channel after the other of interleaved ones: all of it is read, then all of it is written."""
    pixels = n // count
    return tuple(
        sweep
        for c in range(count)
        for sweep in (
            Sweep(pixels, (Range(0, c, count, 1),), ()),
            Sweep(pixels, (), (Range(1, c, count, 1),)),
        )
    )


def snapshot(a: int, b: int) -> Sweeps:
    return (Sweep(1, (Range(0, 0, 0, a),), (Range(1, 0, 0, b),)),)


UNARY: dict[str, Callable[[int], Made]] = {
    "elementwise": lambda n: ((n,), elementwise(n)),
    "downward": lambda n: ((n,), downward(n)),
    "widening": lambda n: ((2 * n,), widening(n, 2)),
    "rows": lambda n: ((2 * n,), rows(n, 1, 2)),
    "narrow rows": lambda n: ((n // 2,), rows(n // 2, 2, 1)) if n % 2 == 0 else ((n,), rows(n, 1, 1)),
    "split": lambda n: ((n // 2, n - n // 2), split(n // 2, n - n // 2)) if n > 1 else ((n,), elementwise(n)),
    "channels": lambda n: ((n,), channels(n, 2 if n % 2 == 0 else 1)),
    "snapshot": lambda n: ((n + 1,), snapshot(n, n + 1)),
    "opaque": lambda n: ((n,), None),
}


@st.composite
def schedules(draw: st.DrawFn, max_steps: int = 6, max_nbytes: int = 8) -> Schedule:
    """Steps of all kinds on buffers of a few bytes; what nobody reads is mostly a graph output."""
    names = (f"t{i}" for i in count())
    size = st.integers(1, max_nbytes)
    inputs = [next(names) for _ in range(draw(st.integers(1, 2)))]
    nbytes = {n: draw(size) for n in inputs}
    tensors, steps = list(inputs), []
    for k in range(draw(st.integers(1, max_steps))):
        read = [draw(st.sampled_from(tensors)) for _ in range(draw(st.integers(1, 2)))]
        sizes, trace = _binary(draw, read, nbytes) if len(read) == 2 else _unary(draw, nbytes[read[0]])
        made = [next(names) for _ in sizes]
        nbytes |= dict(zip(made, sizes, strict=True))
        scratch = [f"s{k}"] if draw(st.booleans()) else []
        nbytes |= {n: draw(size) for n in scratch}
        steps.append(MemoryStep(f"step{k}", tuple(read), tuple(made), tuple(scratch), trace))
        tensors += made
    unread = [t for t in tensors if not any(t in s.inputs for s in steps)]
    outputs = [t for t in tensors if draw(st.integers(0, 9)) < (8 if t in unread else 2)]
    alignment = {n: draw(st.sampled_from((1, 1, 2, 4))) for n in nbytes}
    return Schedule(tuple(steps), nbytes, alignment, tuple(inputs), tuple(outputs))


def _unary(draw: st.DrawFn, n: int) -> Made:
    return UNARY[draw(st.sampled_from(sorted(UNARY)))](n)


def _binary(draw: st.DrawFn, read: Sequence[str], nbytes: Mapping[str, int]) -> Made:
    a, b = nbytes[read[0]], nbytes[read[1]]
    if draw(st.booleans()):
        return ((a,), elementwise(a, 2)) if a == b else ((a + 1,), None)
    return (a + b,), concat(a, b)


@st.composite
def problems(draw: st.DrawFn, max_buffers: int, max_nbytes: int) -> Problem:
    """Buffers and distances without a schedule behind them."""
    buffers = []
    for i in range(draw(st.integers(1, max_buffers))):
        first = draw(st.integers(0, 3))
        alignment = draw(st.sampled_from((1, 1, 2, 4)))
        last = draw(st.integers(first, 4))
        buffers.append(Buffer(f"b{i}", draw(st.integers(1, max_nbytes)), alignment, first, last))
    gaps = {}
    for dies in buffers:
        for born in buffers:
            if dies.first < dies.last == born.first:
                if draw(st.booleans()):
                    gaps[born.name, dies.name] = draw(st.integers(-dies.nbytes, born.nbytes))
                if draw(st.integers(0, 3)) == 0:
                    gaps[dies.name, born.name] = draw(st.integers(-born.nbytes, dies.nbytes))
                elif draw(st.integers(0, 2)) == 0:
                    gaps[dies.name, born.name] = Only(0)
    return Problem(tuple(buffers), gaps)


def computed_outputs(schedule: Schedule, offsets: Mapping[str, int]) -> list[object]:
    """What the graph outputs hold when every step mixes all that it has read so far into all that it writes.

    One arena cell stands for a byte but holds a wide hash. An opaque step spoils its outputs before it reads, and
    scratch is spoiled before and after the step: the worst that a kernel may do.
    """
    cells: dict[int, object] = {}

    def spoil(name: str, salt: object) -> None:
        cells.update((offsets[name] + i, hash(("spoiled", name, i, salt))) for i in range(schedule.nbytes[name]))

    for name in schedule.inputs:
        cells.update((offsets[name] + i, hash(("input", name, i))) for i in range(schedule.nbytes[name]))
    for k, step in enumerate(schedule.steps):
        whole_in = tuple(Range(i, 0, 0, schedule.nbytes[n]) for i, n in enumerate(step.inputs))
        whole_out = tuple(
            Range(i, 0, 0, schedule.nbytes[n]) for i, n in enumerate(step.outputs, start=len(step.inputs))
        )
        for name in (*step.scratch, *(step.outputs if step.trace is None else ())):
            spoil(name, k)
        mixed = hash(("step", k))
        for sweep in (Sweep(1, whole_in, whole_out),) if step.trace is None else step.trace:
            for i in range(sweep.count):
                for r in sweep.reads:
                    at = offsets[step.operands[r.operand]] + r.offset + i * r.stride
                    mixed = hash((mixed, *(cells.get(at + j) for j in range(r.nbytes))))
                for r in sweep.writes:
                    start = r.offset + i * r.stride
                    at = offsets[step.operands[r.operand]] + start
                    cells.update((at + j, hash((mixed, r.operand, start + j))) for j in range(r.nbytes))
        for name in step.scratch:
            spoil(name, (k, "after"))
    return [cells.get(offsets[n] + i) for n in schedule.outputs for i in range(schedule.nbytes[n])]


def apart(schedule: Schedule) -> tuple[dict[str, int], int]:
    """(offsets, arena) with every buffer in a place of its own."""
    offsets, at = {}, 0
    for name, n in schedule.nbytes.items():
        offsets[name] = at
        at += -(-n // 32) * 32
    return offsets, at
