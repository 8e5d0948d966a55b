"""Graph, Node, Tensor: what to compute. Plain data, checked by `verify` after every pass."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import CompileError
from .dtype import Array, DType, Shape
from .op import Op
from .quant import Numerics, QuantParams, Requant

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
INT32_LIMIT = (1 << 31) - 1
INT64_LIMIT = (1 << 62) - 1  # leaves room for a rounding constant


@dataclass(eq=False)
class Tensor:
    """A value in the graph, compared by identity. Spatial tensors are NHWC, whatever the model file used.

    `quant` is set exactly for integers that stand for real numbers; `const` holds the stored values of a constant,
    which nobody changes in place; `encoding` names how a constant is kept in flash: "" leaves that to the cost model,
    "plain" is one element after the other. `grid` promises of a real constant that its values lie on a grid, which they
    will be stored with once the network is quantized. `kept`: which channels of the tensor were left when some were
    removed, all where it is None.
    """

    name: str
    shape: Shape
    dtype: DType = DType.F32
    quant: QuantParams | None = None
    const: Array | None = None
    encoding: str = ""
    grid: QuantParams | None = None
    kept: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.nbytes

    def __repr__(self) -> str:
        return f"%{self.name}: {self.dtype.value}{list(self.shape)}"


@dataclass(eq=False)
class Node:
    """One operator applied to tensors; `source` names the ONNX nodes that it came from."""

    op: Op
    inputs: list[Tensor]
    outputs: list[Tensor]
    source: tuple[str, ...] = ()

    @property
    def output(self) -> Tensor:
        """The only output."""
        (output,) = self.outputs
        return output

    @property
    def where(self) -> str:
        """How messages name this node."""
        return f"{self.op.name} '{' + '.join(self.source) or self.outputs[0].name}'"

    def activations(self) -> list[Tensor]:
        return [t for t in self.inputs if t.const is None]

    def __repr__(self) -> str:
        return f"{', '.join(map(repr, self.outputs))} = {self.op}({', '.join('%' + t.name for t in self.inputs)})"


@dataclass(eq=False)
class Graph:
    """Nodes in execution order. `numerics` says whose rounding its integer operators follow."""

    name: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    nodes: list[Node] = field(default_factory=list)
    numerics: Numerics = Numerics.ONNX

    def producer(self, tensor: Tensor) -> Node | None:
        return next((n for n in self.nodes if tensor in n.outputs), None)

    def readers(self, tensor: Tensor) -> list[Node]:
        return [n for n in self.nodes if tensor in n.inputs]

    def only_reader(self, tensor: Tensor) -> Node | None:
        """The one node that reads the tensor, or None when there are several or it leaves the graph."""
        readers = self.readers(tensor)
        return readers[0] if len(readers) == 1 and tensor not in self.outputs else None

    def activations(self) -> Iterator[Tensor]:
        """Graph inputs, then everything computed, in order."""
        yield from self.inputs
        for node in self.nodes:
            yield from node.outputs

    def constants(self) -> list[Tensor]:
        """Every constant once, in order of first use."""
        return list(dict.fromkeys(t for n in self.nodes for t in n.inputs if t.const is not None))

    def replace_uses(self, old: Tensor, new: Tensor) -> None:
        """Let every reader of `old`, and the graph's outputs, use `new`."""
        for node in self.nodes:
            node.inputs = [new if t is old else t for t in node.inputs]
        self.outputs = [new if t is old else t for t in self.outputs]

    def remove(self, node: Node) -> None:
        self.nodes.remove(node)

    def insert_before(self, anchor: Node, node: Node) -> None:
        self.nodes.insert(self.nodes.index(anchor), node)

    def insert_after(self, anchor: Node, node: Node) -> None:
        self.nodes.insert(self.nodes.index(anchor) + 1, node)

    def fresh_name(self, base: str) -> str:
        """A C identifier that starts with `base` and that no tensor has."""
        taken = {t.name for t in self.activations()} | {t.name for t in self.constants()}
        return unique_identifier(base, taken)

    def remove_unread(self) -> int:
        """Drop nodes whose results nobody reads; how many."""
        needed, before = set(self.outputs), len(self.nodes)
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                kept.append(node)
                needed.update(node.inputs)
        self.nodes = kept[::-1]
        return before - len(self.nodes)


def identifier(name: str) -> str:
    """Any text as a C identifier."""
    cleaned = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "t"
    return cleaned if IDENTIFIER.match(cleaned) else f"t_{cleaned}"


def unique_identifier(base: str, taken: Iterable[str]) -> str:
    taken, name = set(taken), identifier(base)
    if name not in taken:
        return name
    return next(f"{name}_{i}" for i in range(1, len(taken) + 2) if f"{name}_{i}" not in taken)


def verify(graph: Graph) -> None:
    """The invariants of a graph; a violation is our bug, except for sums that overflow (E0203, E0204).

    1. Every tensor is defined once, before use, and has a unique C identifier.
    2. Shapes and types of outputs are what the operator says.
    3. A quantized tensor is an integer; a constant has its tensor's shape and type.
    4. Every sum of an operator on int8 fits int32, and every sum on int16 fits int64: kernels take 64 bits where its
       bound is beyond int32.
    5. A real constant lies on the grid that it promises.
    6. Every requantized sum fits int32, with the output's zero point, before it is saturated.
    """
    defined: set[Tensor] = set(graph.inputs)
    for node in graph.nodes:
        for t in node.inputs:
            assert t.const is not None or t in defined, f"{node.where} reads %{t.name} before it is computed"
        want = node.op.infer(*(t.shape for t in node.inputs))
        assert tuple(t.shape for t in node.outputs) == want, f"{node.where}: {node.outputs}, operator says {want}"
        assert not defined.intersection(node.outputs), f"{node.where} computes a tensor twice"
        defined.update(node.outputs)
        verify_sums(node)
        verify_requant(node)
    for t in graph.outputs:
        assert t in defined, f"output %{t.name} is never computed"
    verify_tensors([*graph.activations(), *graph.constants()])


def verify_tensors(tensors: list[Tensor]) -> None:
    names: set[str] = set()
    for t in tensors:
        assert IDENTIFIER.match(t.name), f"{t.name!r} is not a C identifier"
        assert t.name not in names, f"two tensors are named {t.name}"
        names.add(t.name)
        assert t.quant is None or t.quant.dtype is t.dtype, f"%{t.name} is {t.dtype}, its quantization {t.quant}"
        if t.const is not None:
            assert t.const.shape == t.shape, f"%{t.name} is {t.shape}, its values are {t.const.shape}"
            assert t.const.dtype == t.dtype.numpy, f"%{t.name} is {t.dtype}, its values are {t.const.dtype}"
        if t.grid is not None:
            assert t.const is not None and t.quant is None, f"%{t.name} has a grid, but no real constant values"
            assert np.array_equal(t.grid.dequantize(t.grid.quantize(t.const)), t.const), f"%{t.name} is off its grid"


def verify_sums(node: Node) -> None:
    """A Mul has no 64-bit form; its own limit is in `Mul.fix`."""
    bound = node.op.sum_bound(node)
    is_wide = any(t.dtype is DType.I16 for t in node.activations())
    if bound is not None and bound > (INT64_LIMIT if is_wide else INT32_LIMIT):
        raise CompileError(
            "E0203", f"a sum of up to {bound:,} does not fit {64 if is_wide else 32} bits", node.where,
            fix="check the bias: it is usually a damaged or wrongly scaled constant",
        )  # fmt: skip


def verify_requant(node: Node) -> None:
    """The C saturates after it has made an int32 of the scaled sum."""
    requant, bounds, quant = getattr(node.op, "requant", None), node.op.sum_bounds(node), node.outputs[0].quant
    if not isinstance(requant, Requant) or not bounds or requant.fits_int32(bounds, quant.zero if quant else 0):
        return
    scale = f" {quant.scale:.3g}" if quant and quant.axis is None else ""
    raise CompileError(
        "E0204", f"the output's scale{scale} is too small: its sums of up to {max(bounds):,} need more than 32 bits",
        node.where,
        fix="quantize the output with a scale that covers its values; calibration data may have been constant there",
    )  # fmt: skip
