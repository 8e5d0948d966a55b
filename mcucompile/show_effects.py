"""What a recipe did, as tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from .effects import BROKEN, Effect
from .node_names import nodes_of
from .report import Json
from .show import say, shortened, table, with_minus


def effects(console: Console, found: Sequence[Effect]) -> None:
    """What each pass of a recipe cost and gained, and what all of them did to each layer."""
    if not found:
        return
    columns = ("network", "flash", "α", "cycles", "δ", "arena", "MACs", "SNR", "accuracy")
    lines = [
        (
            f"+ {e.request}" if e.request else "without the recipe",
            e.flash,
            times(e.alpha),
            round(e.cycles),
            times(e.delta),
            e.arena,
            e.macs,
            decibels(e.decibels),
            None if e.accuracy is None else f"{100 * e.accuracy:.1f} %",
        )
        for e in found
    ]
    console.print(table("compression, pass by pass", columns, lines))
    layer_effects(console, found)
    say(
        console,
        "flash and arena in bytes, flash with code; code and cycles are the cost model's estimates, which verify "
        "and profile measure; α and δ: how many times smaller and faster than without the recipe; SNR: against the "
        "original float network, of a layer in the channels that are left, of the network in the scores before a "
        "final Softmax; accuracy: on the calibration samples; rows above the last change: without --ram and "
        "--flash-budget",
    )


def doubt(console: Console, report: Json, found: Sequence[Effect]) -> None:
    """Warn of outputs that are far from the original float network's."""
    chosen = (report["quantization"] or {}).get("chosen")
    ratio = found[-1].decibels if found else chosen["decibels"] if chosen else None
    if ratio is not None and ratio < BROKEN:
        say(console, f"WARNING: {broken(ratio)}", "bold")


def broken(ratio: float) -> str:
    """Of the outputs, before a final Softmax."""
    return (
        f"the outputs are far from the original float network's: signal-to-noise ratio {decibels(ratio)}, an error of "
        f"{relative_error(ratio)} of the signal. Look at the accuracy (verify --data DATA.npz) before you use it."
    )


def layer_effects(console: Console, found: Sequence[Effect]) -> None:
    """The layers without the recipe and with all of it, and which passes changed them."""
    first, last = found[0], found[-1]
    nodes = nodes_of(layer.layer.split(" + ") for layer in first.layers)
    columns = ("layer", "flash", "→", "α", "cycles", "→", "δ", "arena", "→", "SNR", "changed by")
    lines = [
        (
            shortened(nodes.text(a.layer.split(" + "))),
            *(a.flash, b.flash, times(b.alpha), round(a.cycles), round(b.cycles), times(b.delta), a.arena, b.arena),
            decibels(b.decibels),
            changed_by(found, i),
        )
        for i, (a, b) in enumerate(zip(first.layers, last.layers, strict=True))
    ]
    total = ("all layers", first.flash, last.flash, times(last.alpha), round(first.cycles), round(last.cycles),
             times(last.delta), first.arena, last.arena, decibels(last.decibels), "")  # fmt: skip
    title = "compression, layer by layer: without the recipe → with all of it"
    console.print(table(title, columns, [*lines, total], ("α", "δ")))


def changed_by(found: Sequence[Effect], index: int) -> str:
    """The passes that changed a layer; that it is new, or gone."""
    names = dict.fromkeys(e.request.partition("=")[0].partition("@")[0] for e in found if e.layers[index].changes)
    gone = ["removed"] if found[0].layers[index].steps and not found[-1].layers[index].steps else []
    return ", ".join([*names, *gone]) or "–"


def times(factor: float | None) -> str:
    return "–" if factor is None else f"{factor:.2f}"


def relative_error(ratio: float) -> str:
    """|y-r| / |r|, which 10 log10(|r|^2 / |y-r|^2) stands for."""
    return f"{100 * 10 ** (-ratio / 20):.2f} %"


def decibels(ratio: float | None) -> str:
    return "–" if ratio is None else with_minus(f"{round(ratio, 1) + 0.0:.1f} dB")  # and no -0.0
