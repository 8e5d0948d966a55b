"""What every pass did, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..figures import Figures
from ..listing import passes as listed_passes
from ..pipeline import PassRecord
from ..report import Json
from ..show import counted
from .table import Table, table
from .words import Name, Nodes, figure, name_of, nodes_of, percent

REMOVED = (("zero_filters", "with a filter of zeros"), ("constant", "constant otherwise"), ("unread", "read by nobody"))

CHANGE_NUMBERS = ("Score", "Error it adds", "Weights before", "after")
REMOVAL_NUMBERS = ("Channels", "MACs saved", "Weights saved")


@dataclass(frozen=True)
class PassRow:
    """A pass that changed something; `details` are its reasons, where it tells them, `reasons` their heading."""

    name: str
    purpose: str
    bits: str
    changes: str
    reasons: str
    details: Table | None


@dataclass(frozen=True)
class Passes:
    """`idle` are those that found nothing to change, however often they ran."""

    rows: tuple[PassRow, ...]
    idle: str


def passes(f: Figures) -> Passes:
    purposes = {row["pass"]: row["what it does"] for row in listed_passes()}
    active = [p for p in f.passes if p.changes or p.details]
    changed = {p.name for p in active}
    idle = dict.fromkeys(p.name for p in f.passes if p.name not in changed)
    nodes = nodes_of(layer.source for layer in f.layers)
    return Passes(tuple(row_of(p, purposes.get(p.name, ""), nodes) for p in active), ", ".join(idle))


def row_of(p: PassRecord, purpose: str, nodes: Nodes) -> PassRow:
    bits = "as before" if p.exact else "may change"
    reasons = f"{p.name}: {counted(p.changes, 'change')}, and why"
    return PassRow(p.name, purpose[:1].upper() + purpose[1:], bits, f"{p.changes:,}", reasons, details(p, nodes))


def details(p: PassRecord, nodes: Nodes) -> Table | None:
    """In the form of what the pass tells: changes of a recipe's pass, removals, or whatever there is."""
    found: list[Json] = [d for d in p.details if isinstance(d, dict)]
    if not found:
        return None
    caption = f"{p.name}: each change, and why"
    if all({"unit", "criterion", "score"} <= d.keys() for d in found):
        rows = (change_row(d, nodes) for d in found)
        return table(caption, ("Layer", "What", "Criterion"), CHANGE_NUMBERS, rows)
    if all({"channels", *(key for key, _ in REMOVED)} <= d.keys() for d in found):
        return table(caption, ("Layer", "Why"), REMOVAL_NUMBERS, (removal_row(d, nodes) for d in found))
    keys = list(dict.fromkeys(key for d in found for key in d))
    rows = (plain_row(d, keys, nodes) for d in found)
    return table(caption, tuple(key.replace("_", " ") for key in keys), (), rows)


def change_row(d: Json, nodes: Nodes) -> Sequence[str | Name]:
    return (
        *(layer_name(d, nodes), name_of(str(d["unit"])), name_of(str(d["criterion"])), figure(number(d["score"]))),
        *(percent(number(d.get("effect"))), figure_of_count(d.get("before")), figure_of_count(d.get("after"))),
    )


def removal_row(d: Json, nodes: Nodes) -> Sequence[str | Name]:
    reasons = [f"{d[key]} {text}" for key, text in REMOVED if d[key]]
    return (layer_name(d, nodes), ", ".join(reasons) or "its inputs went",
            *(figure_of_count(d.get(key)) for key in ("channels", "macs", "weights")))  # fmt: skip


def plain_row(d: Json, keys: Sequence[str], nodes: Nodes) -> Sequence[str | Name]:
    values = [d.get(key, "") for key in keys]
    return [nodes.name(map(str, v)) if isinstance(v, list) else name_of(str(v)) for v in values]


def layer_name(d: Json, nodes: Nodes) -> Name:
    return nodes.name(map(str, d.get("source") or ()), str(d.get("layer") or d.get("tensor") or ""))


def number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def figure_of_count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else figure(number(value))
