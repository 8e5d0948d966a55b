"""A model file as plain data: what remains of ONNX once protobuf has been left behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import CompileError
from ..ir import Array, OnnxNode

Dimension = int | str | None  # a size, a symbol, or nothing said
PRODUCER = "mcucompile"  # of files that the exporter writes; their nodes' doc strings name the original nodes
MAX_TENSOR_NBYTES = 64 << 20
MAX_CONSTANTS_NBYTES = 256 << 20


@dataclass(frozen=True)
class Value:
    """A graph input or output as declared; `dtype` is ONNX's name of the element type, in lower case."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...] | None


@dataclass(frozen=True)
class Model:
    """Nodes in execution order, with the attributes of the file's own opset. `reasons` says what is wrong with a node
    that can be read but never compiled (a subgraph, another vendor's operator), by its position."""

    name: str
    opset: int
    nodes: tuple[OnnxNode, ...]
    reasons: dict[int, str]
    constants: dict[str, Array]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


def check_nbytes(nbytes: int, where: str) -> None:
    """Refuse with E0105 what no microcontroller holds."""
    if nbytes > MAX_TENSOR_NBYTES:
        raise CompileError(
            "E0105", f"a tensor of {nbytes:,} bytes; the limit is {MAX_TENSOR_NBYTES:,}", where,
            fix="check the shapes in the model file, and the values given with --shape",
        )  # fmt: skip


def describe(source: Path | None) -> str:
    """How messages name the file."""
    return str(source) if source else "the model"
