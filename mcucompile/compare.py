"""Compiled networks side by side: their sizes, speed and accuracy, and the layers in which they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .data import LABELS, load_samples
from .effects import accuracy_on
from .errors import CompileError
from .figures import Figures, Layer, read_figures
from .reference import quantized_inputs
from .report import Json
from .saved import read_saved

CALIBRATION = "the calibration samples"
OWN = "each one's own calibration samples"


@dataclass(frozen=True)
class Part:
    """What a variant has in a place of the network: sums over its layers there; bytes, and estimated cycles."""

    kernels: tuple[str, ...]
    macs: int
    constants: int
    cycles: int


@dataclass(frozen=True)
class Place:
    """Layers that compute the same nodes of the model, one part for each variant; None where one has no such layer."""

    nodes: tuple[str, ...]
    parts: tuple[Part | None, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.parts)) > 1


@dataclass(frozen=True)
class Comparison:
    """Variants by their labels, the first of which the others are held against; `places` in the network's order.

    `samples` says what the accuracy is measured on.
    """

    labels: tuple[str, ...]
    variants: tuple[Figures, ...]
    places: tuple[Place, ...]
    samples: str = CALIBRATION

    @property
    def same_model(self) -> bool:
        """All were compiled from the same file."""
        return len({v.origin.sha256 for v in self.variants}) == 1

    @property
    def shared(self) -> int:
        """Names of ONNX nodes that more than one variant has."""
        return sum(n > 1 for n in Counter(name for v in self.variants for name in node_names(v)).values())

    @property
    def has_places(self) -> bool:
        """Do layers compare? Different models may share names such as Relu__5 by chance."""
        least = min((len(node_names(v)) for v in self.variants), default=0)
        return bool(self.shared) and (self.same_model or 2 * self.shared >= least)

    @property
    def note(self) -> str:
        """What keeps layers from being compared, or makes it doubtful; nothing where they can be."""
        if not self.has_places:
            few = "few nodes" if self.shared else "no node"
            return f"these are different models, which have {few} in common: only totals compare"
        return "" if self.same_model else "not all are of the same model: layers are matched by the names of ONNX nodes"

    @property
    def differing(self) -> list[Place]:
        """Those that differ, the largest `change` first."""
        return sorted((p for p in self.places if p.differs), key=self.change, reverse=True)

    @property
    def same(self) -> int:
        return sum(not p.differs for p in self.places)

    def change(self, place: Place) -> float:
        """The largest difference from the first variant in cycles or constants, as a share of that variant's total."""
        first = self.variants[0]
        totals = (sum(layer.cycles for layer in first.layers), first.constants)
        of = [(p.cycles, p.constants) if p else (0, 0) for p in place.parts]
        return max(abs(b - a) / max(t, 1) for part in of[1:] for a, b, t in zip(of[0], part, totals, strict=True))


def node_names(v: Figures) -> set[str]:
    return {name for layer in v.layers for name in layer.source}


def comparison(folders: Sequence[Path], data: Path | None = None) -> Comparison:
    """Of folders that compile wrote; with `data` the accuracy is measured on these samples.

    Raises E0701 for fewer than two, E0703; E0202, E0702 for data that cannot be read or do not fit.
    """
    if len(folders) < 2:
        raise CompileError("E0701", "one folder has nothing to be compared with", fix="give two or more")
    variants = tuple(map(read_figures, folders))
    is_alike = len({v.origin.calibration for v in variants}) == 1
    found = Comparison(labels(folders), variants, places(variants), CALIBRATION if is_alike else OWN)
    if data is None:
        return found
    again = tuple(measured(folder, v, data) for folder, v in zip(folders, variants, strict=True))
    return replace(found, variants=again, samples=data.name)


def measured(folder: Path, figures: Figures, data: Path) -> Figures:
    """With the accuracy on other samples, by the reference's answers."""
    graph = read_saved(folder).graph
    samples = load_samples(data, graph.inputs, graph.outputs)
    if samples.labels is None:
        why, fix = "compare measures the accuracy on them", f"add each sample's class as integers '{LABELS}'"
        raise CompileError("E0202", f"{data.name} has no labels", why=why, fix=f"{fix}, or leave --data out")
    found = accuracy_on(graph, quantized_inputs(graph, samples.inputs), samples.labels)
    if found is None:
        why = f"the first output of {folder} is one number, which names no class"
        raise CompileError("E0202", "there is no accuracy to be measured", why=why, fix="leave --data out")
    return replace(figures, accuracy=found)


def labels(folders: Sequence[Path]) -> tuple[str, ...]:
    """The ends of the paths, as long as tells them apart; equal ones are numbered."""
    parts = [folder.resolve().parts for folder in folders]
    length = 1
    while length < max(map(len, parts)) and not tells_apart(parts, length):
        length += 1
    ends = ["/".join(p[-length:]) for p in parts]
    seen: Counter[str] = Counter()
    for i, end in enumerate(ends):
        seen[end] += 1
        ends[i] = end if seen[end] == 1 else f"{end} ({seen[end]})"
    return tuple(ends)


def tells_apart(parts: Sequence[tuple[str, ...]], length: int) -> bool:
    return len({p[-length:] for p in parts}) == len(set(parts))


def places(variants: Sequence[Figures]) -> tuple[Place, ...]:
    """Layers that share a node of the model, in the same variant or across variants, belong to one place."""
    groups = Groups()
    for v in variants:
        for layer in v.layers:
            groups.join(keys(layer))
    nodes: dict[str, dict[str, None]] = {}
    for v in variants:
        for layer in v.layers:
            nodes.setdefault(groups.root(keys(layer)[0]), {}).update(dict.fromkeys(keys(layer)))
    parts = [variant_parts(v, groups) for v in variants]
    return tuple(Place(tuple(names), tuple(p.get(root) for p in parts)) for root, names in nodes.items())


def keys(layer: Layer) -> tuple[str, ...]:
    """A layer that stands for no node of the model goes with its like."""
    return layer.source or (layer.op,)


class Groups:
    """Names that were joined, directly or through others (union-find)."""

    def __init__(self) -> None:
        self.parents: dict[str, str] = {}

    def root(self, name: str) -> str:
        while self.parents.setdefault(name, name) != name:
            name = self.parents[name]
        return name

    def join(self, names: Iterable[str]) -> None:
        first, *rest = map(self.root, names)
        for other in rest:
            self.parents[other] = first


def variant_parts(v: Figures, groups: Groups) -> dict[str, Part]:
    """By the root of each group."""
    members: dict[str, list[Layer]] = {}
    for layer in v.layers:
        members.setdefault(groups.root(keys(layer)[0]), []).append(layer)
    return {root: part_of(layers) for root, layers in members.items()}


def part_of(layers: Sequence[Layer]) -> Part:
    return Part(
        tuple(f"{layer.op} {layer.kernel}" for layer in layers),
        sum(layer.macs for layer in layers),
        sum(layer.constants for layer in layers),
        sum(layer.cycles for layer in layers),
    )


def comparison_json(c: Comparison) -> Json:
    """Sizes in bytes, cycles estimated; the layers that differ, the largest `Comparison.change` first."""
    keys = (
        *("name", "board", "core", "dtype", "flash", "constants", "arena", "macs", "cycles"),
        *("seconds", "decibels", "accuracy"),
    )
    return {
        "samples": c.samples,
        "variants": [
            {"label": label, **{key: getattr(v, key) for key in keys}, "layers": len(v.layers)}
            for label, v in zip(c.labels, c.variants, strict=True)
        ],
        "differing": [
            {"nodes": list(p.nodes), "parts": [asdict(part) if part else None for part in p.parts]} for p in c.differing
        ],
        "same": c.same,
        "same_model": c.same_model,
        "note": c.note,
    }
