"""How far the network is from the float one: outputs by verify's metrics, layers by their signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..figures import Figures
from ..layer_effects import LayerEffect
from ..ops.reshape import Reshape
from ..passes.error_report import LayerError
from ..passes.quantize import Trial
from ..report import Json
from ..show_effects import changed_by, decibels, relative_error, times
from .summary import place
from .table import Table, table
from .words import DASH, Name, Nodes, count, figure, hundredths, name_of, nodes_of, percent, width

WORST, BEST = 0.0, 60.0  # dB, between which bars are drawn: from as much noise as signal to a thousandth of it


@dataclass(frozen=True)
class Metric:
    """An entry of `metrics.Metrics`, as a column; `text` writes its values."""

    key: str
    column: str
    meaning: str
    text: Callable[[float | None], str] = figure


METRICS = (
    Metric("accuracy", "ACC", "ACC: share of samples whose largest output is the label.", percent),
    Metric("real_accuracy", "ACC of float", "ACC of float: the same for the original float network.", percent),
    Metric(
        "agreement",
        "Same largest",
        "Same largest: share of samples whose largest output is the float network's, too.",
        percent,
    ),
    Metric("rmse", "RMSE", "RMSE: root mean square error."),
    Metric("mae", "MAE", "MAE: mean absolute error."),
    Metric("l2r", "L2r", "L2r: |y − r| / |r|, the error relative to the float network's output.", hundredths),
    Metric("nse", "NSE", "NSE: Nash–Sutcliffe efficiency, 1 at best."),
    Metric("cos", "COS", "COS: cosine of the angle between both."),
)


@dataclass(frozen=True)
class ErrorRow:
    """Ratios in dB with the length of their bars; `error` is the relative error (L2r) that the second one is."""

    name: Name
    op: str
    alone: str
    alone_width: str
    cumulative: str
    cumulative_width: str
    error: str
    is_weakest: bool


def metrics(f: Figures) -> Table | None:
    """Of each output, what verify measured against the float network and the labels; what it could not is left out."""
    shown = known_metrics(f)
    if not f.verification or not shown:
        return None
    rows = (metrics_row(name, m, shown) for name, m in f.verification["metrics"].items())
    sides = ("rmse", "the float network"), ("accuracy", "the labels")
    against = " and ".join(text for key, text in sides if key in {m.key for m in shown})
    caption = f"Outputs on {place(f.verification['ran_on'])} against {against}"
    return table(caption, ("Output",), [m.column for m in shown], rows)


def metrics_legend(f: Figures) -> str:
    """What the columns are, and why others are not there."""
    note = f.verification["metrics_note"] if f.verification else ""
    return " ".join(text for text in (*(m.meaning for m in known_metrics(f)), note) if text)


def known_metrics(f: Figures) -> list[Metric]:
    found = f.verification["metrics"].values() if f.verification else ()
    return [metric for metric in METRICS if any(m[metric.key] is not None for m in found)]


def metrics_row(name: str, m: Json, shown: Sequence[Metric]) -> list[str | Name]:
    return [name_of(name), *(metric.text(m[metric.key]) for metric in shown)]


def mismatch(f: Figures) -> Table | None:
    """The first value that differs, where one does."""
    m = (f.verification or {}).get("mismatch")
    if not m:
        return None
    row = (
        *(name_of(m["tensor"]), name_of(m["source"]), count(m["sample"]), f"{m['differing']:,} of {m['size']:,}"),
        *(count(m["first"]), figure(m["expected"]), figure(m["found"])),
    )
    numbers = ("Sample", "Values that differ", "First at", "Expected", "Found")
    return table("The first tensor that differs from the reference", ("Tensor", "ONNX nodes"), numbers, [row])


def errors(f: Figures) -> list[ErrorRow]:
    """In the network's order, without what computes nothing; the layer that loses most by itself is marked."""
    layers = [e for e in f.errors if e.op != Reshape.name]
    losses = [e.alone for e in layers if e.alone is not None]
    nodes = nodes_of(e.source for e in layers)
    return [error_row(e, nodes, bool(losses) and e.alone == min(losses)) for e in layers]


def error_row(e: LayerError, nodes: Nodes, is_weakest: bool) -> ErrorRow:
    return ErrorRow(
        nodes.name(e.source, e.op), e.op, decibels(e.alone), bar(e.alone), decibels(e.cumulative), bar(e.cumulative),
        DASH if e.cumulative is None else relative_error(e.cumulative), is_weakest,
    )  # fmt: skip


def bar(ratio: float | None) -> str:
    return "0" if ratio is None else width(max(ratio - WORST, 0), BEST - WORST)


def errors_against(f: Figures) -> str:
    """What the errors of layers are against, which a recipe makes another network than the one that was given."""
    if not f.is_compressed:
        return "the same network in floats"
    return "the compressed network in floats, as it was before quantizing"


def errors_note(f: Figures) -> str:
    """How the network compares with the one that was given, where the errors of layers do not tell."""
    if not f.is_compressed or f.decibels is None:
        return ""
    where = ": see Compression" if f.effects else ""
    return (
        f"This table leaves out what the recipe itself costs. Against the original float network the {f.scores} have "
        f"{decibels(f.decibels)}, an error of {relative_error(f.decibels)}{where}."
    )


def trials(f: Figures) -> Table | None:
    """Ways to find ranges that were tried, and what each gave."""
    if len(f.trials) < 2:
        return None
    rows = [trial_row(t, t == f.chosen) for t in f.trials]
    texts = ("Ranges", "Layers equalized", "Bias corrected", "Chosen")
    return table("Ways of quantizing that were tried", texts, (f"SNR of the {f.scores}",), rows)


def trial_row(t: Trial, is_chosen: bool) -> Sequence[str]:
    yes = {True: "yes", False: "no"}
    return (t.ranges, yes[t.equalized], yes[t.bias_corrected], "yes" if is_chosen else "", decibels(t.decibels))


def layer_effects(f: Figures) -> Table | None:
    """What all of a recipe did to each layer."""
    if not f.effects or not any(e.layers for e in f.effects):
        return None
    pairs = zip(f.effects[0].layers, f.effects[-1].layers, strict=True)
    nodes = nodes_of(a.layer.split(" + ") for a in f.effects[0].layers)
    rows = (layer_effect_row(a, b, nodes, changed_by(f.effects, i)) for i, (a, b) in enumerate(pairs))
    numbers = ("Flash before", "after", "α", "Cycles before", "after", "δ", "SNR")
    caption = "Each layer without the recipe, and with all of it; code and cycles are estimated"
    return table(caption, ("Layer", "Changed by"), numbers, rows)


def layer_effect_row(a: LayerEffect, b: LayerEffect, nodes: Nodes, changes: str) -> Sequence[str | Name]:
    return (
        *(nodes.name(b.layer.split(" + ")), changes, count(a.flash), count(b.flash), times(b.alpha)),
        *(count(a.cycles), count(b.cycles), times(b.delta), decibels(b.decibels)),
    )


def effects(f: Figures) -> Table | None:
    """What each pass of a recipe cost and gained."""
    if not f.effects:
        return None
    rows = [
        (name_of(e.request or "without the recipe"), count(e.flash), times(e.alpha), count(e.cycles),
         times(e.delta), count(e.arena), count(e.macs), decibels(e.decibels), percent(e.accuracy))
        for e in f.effects
    ]  # fmt: skip
    numbers = ("Flash, estimated", "α", "Cycles, estimated", "δ", "RAM: arena", "MACs", "SNR", "Accuracy")
    return table("The network before the recipe, and after each of its passes", ("Pass",), numbers, rows)


__all__ = [
    "ErrorRow",
    "effects",
    "errors",
    "errors_against",
    "errors_note",
    "layer_effects",
    "metrics",
    "metrics_legend",
    "mismatch",
    "trials",
]
