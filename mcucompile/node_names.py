"""Names of ONNX nodes as people read them: without the paths that all of them share and what converters add."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

FOLDED = ";"  # between the names of the layers that TensorFlow Lite folded into one; the last is the node's own
QUANTIZED = "_prequant"  # behind what tf2onnx made of a quantized layer
READ = re.compile(r"/ReadVariableOp(/.*)?$")  # how TensorFlow got at the weights
NUMBER = re.compile(r"(?<=[^_])__\d+$")  # by which tf2onnx tells nodes apart that it made
LOOKED_AT = 300  # letters of a name in which folders are looked for

Source = tuple[str, ...]


@dataclass(frozen=True)
class Nodes:
    """How a network's nodes are called: without the `folder` in which nearly all of them are.

    `ambiguous` are the layers of which another one would have the same short name: they keep their whole names.
    """

    folder: str = ""
    ambiguous: frozenset[Source] = field(default=frozenset())

    def text(self, source: Iterable[str]) -> str:
        """The ONNX nodes that a layer computes, in short."""
        names = tuple(source)
        return self.whole(names) if names in self.ambiguous else self.short(names)

    def short(self, names: Source) -> str:
        first, rest = names[:1], names[1:]
        return together([*map(self.inner, first), *(NUMBER.sub("", self.inner(n)) for n in rest)])

    def whole(self, names: Source) -> str:
        return together([n.removeprefix(self.folder).lstrip("/") or n for n in names])

    def inner(self, name: str) -> str:
        """`a/conv2d/BiasAdd;a/conv2d/Conv2D1_prequant` is `conv2d`: the layer whose parts were folded."""
        own = own_path(name)
        if FOLDED in name and "/" in own:
            return own.split("/")[-2]
        return own.removeprefix(self.folder).lstrip("/") or name


def nodes_of(sources: Iterable[Iterable[str]]) -> Nodes:
    """The folder is the longest that holds at least three quarters of the names that are in any, and more than one."""
    layers = list(dict.fromkeys(tuple(source) for source in sources))
    paths = [path[:LOOKED_AT] for layer in layers for name in layer if "/" in (path := own_path(name))]
    folders = Counter(p[: i + 1] for p in paths for i, letter in enumerate(p) if letter == "/")
    common = [folder for folder, count in folders.items() if count > 1 and 4 * count >= 3 * len(paths)]
    nodes = Nodes(max(common, key=len, default=""))
    count = Counter(map(nodes.short, layers))
    return Nodes(nodes.folder, frozenset(layer for layer in layers if count[nodes.short(layer)] > 1))


def own_path(name: str) -> str:
    """Of a node that TensorFlow Lite folded others into its own name, without what converters add."""
    own = name.rpartition(FOLDED)[2] or name
    return READ.sub("", own.removesuffix(QUANTIZED)) or own


def together(names: Sequence[str]) -> str:
    """Joined, with the folder in which all of them are in front."""
    own = commonpath(names) if len(names) > 1 else ""
    return f"{own}: {' + '.join(n.removeprefix(own)[1:] for n in names)}" if own else " + ".join(names)


def commonpath(names: Sequence[str]) -> str:
    """The folder in which all of the names are, without the slash behind it."""
    parts = [n.split("/")[:-1] for n in names]
    same = list(takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False)))
    return "/".join(column[0] for column in same)


def cut_middle(text: str, width: int) -> str:
    """Without its middle where it is long; more stays of the end, by which names differ."""
    if len(text) <= width:
        return text
    head = (width - 1) // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
