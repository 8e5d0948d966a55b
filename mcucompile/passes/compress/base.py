"""What a compression pass is: a change of a network that a recipe asks for, and that says what it did to which unit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from ...ir import Graph, Node
from ...ops.weighted import Weighted
from ..calibrate import Samples

KEPT = "weights, kept"  # the unit of a change that leaves a layer's weights what they are


class Stage(Enum):
    """When a pass runs, in this order.

    The first three change a network of real numbers, whose batch normalization is folded; SHARE changes integer weights
    once their scales are known; CODE says how constants are kept in flash and changes no value.
    """

    PRUNE = "prune"
    DECOMPOSE = "decompose"
    QUANTIZE = "quantize"
    SHARE = "share"
    CODE = "code"


@dataclass(frozen=True)
class Change:
    """What was done to one unit of a layer, and why: for the report.

    `layer` is the name of the layer's output, `source` its ONNX nodes. `unit` says what was changed ("filter 12",
    "weights", "rank"), `score` is what `criterion` gave it; `effect` is the squared error that the change alone adds to
    the layer's (or the next layer's) output on the calibration samples, relative to that output's square; None where
    nothing was measured. What a layer does to make up for the loss of those before it is part of that output, and no
    error. `before` and `after` count the weights.
    """

    layer: str
    source: tuple[str, ...]
    unit: str
    criterion: str
    score: float
    effect: float | None = None
    before: int = 0
    after: int = 0

    @property
    def is_kept(self) -> bool:
        """Whether it only says why the layer stays as it is."""
        return self.unit == KEPT


@dataclass(frozen=True)
class Compression(ABC):
    """Base of the passes of a recipe; a subclass is a frozen dataclass whose fields are its options.

    The first field is what NAME=VALUE sets; where it has no default, `example` is a value for it. `exact` as with
    `Pass`.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    exact: ClassVar[bool] = False
    example: ClassVar[str] = ""

    @abstractmethod
    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        """Change `graph` in place.

        `layers` are the nodes that the recipe names, each one that `takes` says yes to. `samples` maps the name of each
        graph input to real values [samples, *shape]. Raises E0201 where samples are needed and there are none.
        """

    def idle_options(self) -> Mapping[str, str]:
        """Options that decide nothing beside the others as they are, each with the reason: a recipe gives none."""
        return {}

    @classmethod
    def takes(cls, node: Node) -> bool:
        """Whether the pass can do anything with such a node: by default, layers with constant weights."""
        return isinstance(node.op, Weighted) and node.inputs[1].const is not None
