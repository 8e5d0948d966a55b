"""The cards at the top of a page: flash and RAM against the board's limits, speed, and whether the bits are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..figures import Figures
from ..report import Json
from ..show import counted, share
from ..show_effects import decibels
from .words import DASH, count, duration, frequency, name_of, percent, size, width


@dataclass(frozen=True)
class Segment:
    """A piece of a meter; `kind` is its colour, `width` its length in percent."""

    kind: str
    text: str
    width: str


@dataclass(frozen=True)
class Card:
    """`state` is good, bad or plain; `segments` fill a meter, whose whole `limit` names."""

    title: str
    figure: str
    lines: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
    limit: str = ""
    state: str = "plain"


def cards(f: Figures) -> list[Card]:
    return [verdict(f), flash(f), ram(f), speed(f), quality(f)]


def verdict(f: Figures) -> Card:
    v = f.verification
    if v is None:
        how = "mcucompile verify compares every byte with the reference, on the emulator or a board."
        return Card("Bits", "Not verified", (how,))
    state = {True: "good", False: "bad", None: "plain"}[v["equal"]]
    words = {True: "Verified", False: "Different", None: "Built, not run"}[v["equal"]]
    return Card("Bits", words, tuple(verdict_lines(v)), state=state)


def verdict_lines(v: Json) -> Iterator[str]:
    yield f"{v['verdict'][0].upper()}{v['verdict'][1:]}."
    if v["ran"]:
        serial = f"{v['over_serial']:,} of them over the serial line"
        yield f"{counted(v['samples'], 'sample')} on {place(v['ran_on'])}, {serial}."
    if v["layers_compared"]:
        compared = f"{counted(v['layers_compared'], 'intermediate tensor')} compared"
        yield f"{compared}, for {counted(v['layer_samples'], 'sample')}."


def place(ran_on: Json) -> str:
    """What ran the network, as `run.ran_on.RanOn` has it."""
    return name_of(ran_on["text"]).full


def flash(f: Figures) -> Card:
    """What was linked where something was, else constants with the code as it is estimated."""
    v = f.verification
    if v is None:
        estimate = "" if f.code is not None else ", estimated"
        parts = [("constants", "constants", f.constants), ("code", f"code{estimate}", f.flash - f.constants)]
        return limited("Flash", f.flash, f.flash_limit, parts, budget(f.origin.flash_budget))
    linked, limit = v["fit"]["flash_nbytes"], v["fit"]["board_flash_nbytes"]
    parts = [("constants", "constants", v["constants"]), ("code", "code", v["code"]),
             ("rest", "harness", linked - v["library_flash"])]  # fmt: skip
    return limited("Flash", linked, limit, parts, budget(f.origin.flash_budget))


def ram(f: Figures) -> Card:
    """The arena; what was linked around it, and the stack, where something was linked."""
    v, limit = f.verification, budget(f.origin.ram)
    lines = (arena_text(f), *limit)
    if v is None:
        return limited("RAM", f.arena, f.ram_limit, [("arena", "arena", f.arena)], lines)
    fit = v["fit"]
    stack = [("stack", "reserved stack", fit["stack_nbytes"])]
    if v["stack"] is not None:
        lines = (f"Of the stack {v['stack']:,} bytes were used.", *lines)
    parts = [("arena", "arena", f.arena), *stack,
             ("rest", "harness", fit["ram_nbytes"] - f.arena - fit["stack_nbytes"])]  # fmt: skip
    return limited("RAM", fit["ram_nbytes"], fit["board_ram_nbytes"], parts, lines)


def arena_text(f: Figures) -> str:
    over = f.arena - f.lower_bound
    gap = "exactly" if not over else f"{share(over, f.lower_bound)} above"
    return f"The arena is {gap} the lower bound of what is live at once, aligned."


def budget(limit: int | None) -> tuple[str, ...]:
    return () if limit is None else (f"You allow the network {limit:,} bytes.",)


def limited(title: str, total: int, limit: int, parts: Sequence[tuple[str, str, int]], lines: tuple[str, ...]) -> Card:
    segments = [Segment(kind, f"{text}: {n:,} bytes", width(n, max(limit, total))) for kind, text, n in parts if n > 0]
    of = f"{total:,} of {limit:,} bytes: {share(total, limit)} of the board's"
    return Card(title, size(total), lines, tuple(segments), of, "bad" if total > limit else "plain")


def speed(f: Figures) -> Card:
    """Latency is cycles by the clock; both are estimates, and are called so, where no board measured them."""
    if f.latency and f.seconds is not None:
        return measured(f.latency, f.seconds)
    counted = [f"{f.instructions:,} instructions, counted exactly."] if f.instructions is not None else []
    macs = f"{f.macs:,} MACs in a run."
    if f.cycles is None or f.seconds is None:
        note = f.profile["note"] if f.profile else ""
        return Card("Speed", f"{count(f.instructions)} instructions", (note, macs))
    way = "estimated from the instructions that ran" if f.profile else "estimated by the cost model"
    waits = f"the flash's {f.wait_states:,} are not in it" if f.wait_states else "memory without any"
    cycles = f"{f.cycles:,} cycles at {frequency(f.clock_hz)}, {way}. Wait states: {waits}."
    return Card("Latency, estimated", latency(f), (cycles, *counted, macs))


def latency(f: Figures) -> str:
    """As the headline has it: flash that answers late makes any run slower than what is estimated."""
    if f.seconds is None:
        return DASH
    return duration(f.seconds) if f.latency else f"≈ {duration(f.seconds)}{' at best' if f.wait_states else ''}"


def measured(t: Json, seconds: float) -> Card:
    least, most = (duration(t[key] / t["clock_hz"]) for key in ("least", "most"))
    spread = f"The median of {t['runs']:,} runs, from {least} to {most}."
    return Card(
        "Latency, measured", duration(seconds), (spread, f"{t['median']:,} cycles at {frequency(t['clock_hz'])}.")
    )


def quality(f: Figures) -> Card:
    """Accuracy on what verify was given, else on the calibration samples, else the distance from the float network."""
    v = f.verification
    found = [m for m in v["metrics"].values() if m["accuracy"] is not None] if v else []
    if v and found:
        real = found[0]["real_accuracy"]
        lines = (f"On {place(v['ran_on'])}.", *((f"The float network: {percent(real)}.",) if real is not None else ()))
        title = "Accuracy, emulated" if v["ran_on"]["emulator"] else "Accuracy on the board"
        return Card(title, percent(found[0]["accuracy"]), lines)
    state = "bad" if f.is_broken else "plain"
    noise = f"Signal-to-noise ratio of the {f.scores}: {decibels(f.decibels)}." if f.decibels is not None else ""
    if f.accuracy is not None:
        return Card("Accuracy, calibration samples", percent(f.accuracy), (noise,) if noise else (), state=state)
    if f.decibels is not None:
        line = f"Signal-to-noise ratio of the {f.scores}, on the calibration samples."
        return Card("Error against float", decibels(f.decibels), (line,), state=state)
    how = "Known with labelled data: mcucompile verify --data DATA.npz, with the labels as y."
    return Card("Accuracy", "Not known", (how,))
