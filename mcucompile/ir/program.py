"""Program: what the C does, step by step, with every byte placed. Templates see nothing else of the compiler."""

from __future__ import annotations

from dataclasses import dataclass

from .dtype import Array, DType, Shape
from .quant import QuantParams


@dataclass(frozen=True)
class Port:
    """An activation in the arena that something outside a kernel looks at: a graph input or output, a step's result.

    `name` is the tensor's C identifier; `offset` is in bytes from the start of the arena.
    """

    name: str
    dtype: DType
    shape: Shape
    offset: int
    quant: QuantParams | None = None

    @property
    def size(self) -> int:
        """Elements."""
        size = 1
        for d in self.shape:
            size *= d
        return size

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.nbytes


@dataclass(frozen=True, eq=False)
class CArray:
    """A constant array in flash: packed weights, biases, multipliers, tables."""

    name: str
    dtype: DType
    values: Array
    comment: str = ""
    alignment: int = 4

    @property
    def nbytes(self) -> int:
        return self.values.size * self.dtype.nbytes


@dataclass(frozen=True)
class KernelInstance:
    """One C function: a template with its compile-time parameters. Steps with equal ones share the function.

    `parts` are the functions that it calls, which others may call too. `is_static`: only other kernels call it.
    `code_nbytes`: of machine code, as the cost model estimated it, without the parts.
    """

    function: str
    template: str
    params: object
    description: str
    parts: tuple[KernelInstance, ...] = ()
    is_static: bool = False
    code_nbytes: int = 0

    @property
    def with_parts(self) -> tuple[KernelInstance, ...]:
        """All that it needs, each function behind those that it calls."""
        return (*(k for part in self.parts for k in part.with_parts), self)


@dataclass(frozen=True)
class Argument:
    """An argument of a kernel call: a place in the arena, or a constant array's name.

    `c_type` is the pointee's type with its qualifier, as the kernel declares it.
    """

    c_type: str
    offset: int | None = None
    constant: str | None = None


@dataclass(frozen=True)
class Step:
    """One call of a kernel. `source` names the ONNX nodes it computes; `comment` shapes, for the reader of the C.

    `cycles` is what the kernel was estimated at when it was chosen, in whole ones, so that totals are the same wherever
    they are told; `weight_nbytes` its part of the constants, of which those that several steps read are divided.
    """

    index: int
    kernel: KernelInstance
    arguments: tuple[Argument, ...]
    outputs: tuple[Port, ...]
    source: tuple[str, ...]
    comment: str
    op: str
    variant: str
    macs: int
    weight_nbytes: int
    scratch_nbytes: int
    cycles: float = 0.0


@dataclass(frozen=True)
class Placement:
    """A buffer's place and life: bytes [offset, offset + nbytes) of the arena, steps first..last inclusive."""

    name: str
    offset: int
    nbytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Bank:
    """A part of the arena in a memory of its own: offsets from `base` on lie in it. `region` counts the board's."""

    base: int
    nbytes: int
    region: int = 0


@dataclass(frozen=True, eq=False)
class Program:
    """Everything that the C files say."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    steps: tuple[Step, ...]
    constants: tuple[CArray, ...]
    placements: tuple[Placement, ...]
    arena_nbytes: int
    arena_lower_bound: int
    state_nbytes: int = 0
    banks: tuple[Bank, ...] = ()  # () where the arena is one piece

    @property
    def kernels(self) -> tuple[KernelInstance, ...]:
        """Every function once, in order of first use, and behind those that it calls."""
        return tuple(dict.fromkeys(k for s in self.steps for k in s.kernel.with_parts))

    @property
    def weight_nbytes(self) -> int:
        return sum(c.nbytes for c in self.constants)

    @property
    def flash_nbytes(self) -> int:
        """Constants, and code as the cost model estimated it."""
        return self.weight_nbytes + sum(k.code_nbytes for k in self.kernels)
