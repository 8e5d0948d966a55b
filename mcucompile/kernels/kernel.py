"""What a kernel is: one C implementation of one operator, described for the selector, the planner and the emitter.

A kernel's C function takes, in this order: the node's activation inputs, its outputs, the packed constants, and, where
`scratch_nbytes` is not zero, `uint8_t *scratch`. Its template is templates/kernels/<op>/<variant>.<isa>.c.j2 and sees
`fn` (the function's name), `p` (what `params` returned) and `description`. Nodes with equal params share the function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from ..ir import Array, DType, Node, Op
from ..target.cores import Core, Isa
from .stream import Stream
from .trace import Trace


@dataclass(frozen=True, eq=False)
class Packed:
    """A constant in the order in which the kernel reads it. `role` ends its C name: weight, bias, multiplier, table."""

    role: str
    values: Array

    @property
    def dtype(self) -> DType:
        return DType(self.values.dtype.name)


@dataclass(eq=False)
class Tile(Node):
    """Some of a layer's output channels; each pixel's outputs lie `pixel_step` elements behind those of the last."""

    pixel_step: int = 0


@dataclass(frozen=True)
class Part:
    """A C function that a kernel calls, or several with the same prefix, which other kernels may call too.

    `node` is what it computes; None where only kernels call it.
    """

    name: str
    template: str
    params: object
    code_nbytes: int
    node: Node | None = None


class Kernel(ABC):
    """Subclasses have no state; each is defined in kernels/<op>/<variant>.py and found there."""

    op: ClassVar[type[Op]]
    variant: ClassVar[str]
    isa: ClassVar[Isa]
    encoding: ClassVar[str] = "plain"  # how it keeps the weights: as `Tensor.encoding` has it
    takes_step: ClassVar[bool] = False  # whether it heeds the `pixel_step` of a Tile

    @property
    def template(self) -> str:
        return f"kernels/{self.op.name}/{self.variant}.{self.isa.name.lower()}.c.j2"

    @abstractmethod
    def fits(self, node: Node) -> bool:
        """Whether the kernel computes this node: its types, shapes and attributes. The op and the ISA are given."""

    @abstractmethod
    def params(self, node: Node) -> object:
        """The compile-time parameters, a frozen dataclass: all that the template prints."""

    def constants(self, node: Node) -> tuple[Packed, ...]:
        """The packed constants, in the order of the C function's parameters."""
        return ()

    def weight_stream(self, node: Node) -> Stream | None:
        """Where the int8 weights are in the first of the constants; None where they cannot be unpacked to there."""
        return None

    def parts(self, node: Node) -> tuple[Part, ...]:
        """What the C function calls. Its template sees their names as `parts`."""
        return ()

    def scratch_nbytes(self, node: Node) -> int:
        """Bytes of arena that the kernel needs while it runs, aligned to 8."""
        return 0

    def trace(self, node: Node) -> Trace:
        """In which order which bytes are read and written, so that input and output may share memory."""
        return None

    def code_nbytes(self, node: Node) -> int:
        """Estimated bytes of machine code of the C function, which nodes with equal params share, without its parts."""
        return 500

    @abstractmethod
    def cycles(self, node: Node, core: Core) -> float:
        """Estimated cycles of one call, for choosing among fitting kernels."""


def dtypes(node: Node) -> tuple[DType, ...]:
    """The types of the node's activation inputs and of its outputs."""
    return tuple(t.dtype for t in [*node.activations(), *node.outputs])


def all_of(node: Node, dtype: DType) -> bool:
    """Whether every activation of the node has this type."""
    return all(d is dtype for d in dtypes(node))
