"""What an encoding is: a way to keep int8 constants in flash in fewer bytes, and C that gives them back in order.

A stream is the values of one constant in the order in which a kernel reads them. Its decoder is the template
templates/encodings/<name>.c.j2, which sees `fn` (a prefix) and `p` (the params of `Encoded`) and prints

    typedef struct { ... } FN_state;
    static void FN_start(FN_state *state, const T0 *array0, int32_t count0, const T1 *array1, int32_t count1, ...);
    static void FN_next(FN_state *state, int8_t *to, int32_t count);

`start` takes the arrays of `Encoded` in their order, each with the length of its first axis; `next` writes the next
`count` values. It may be called with any counts and addresses, and is fast where both are multiples of four. Streams
with equal params share the functions.

Decided: whatever the arrays hold, a decoder ends, reads only inside them and writes `count` bytes and nothing else,
because flash gets corrupted in the field. Values that damaged arrays yield may be any; behind the end of an array that
is too short they are zeros. Instead of: checksums, which belong to the firmware that the network is a part of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir import Array
from .pace import Pace

LEAST_SAVED = 128  # bytes of flash below which no encoding is tried that nobody asked for


MIRRORED = 0x00800080
SHIFTED = 0x80808080


Walk = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Layout:
    """What a kernel wants of a stream.

    mirrored: bytes at even places of the stream have 128 added (see kernels/conv2d/mirrored.py).
    tile: every call of `next` asks for so many values, the last one for what is left; 0 where nothing is known. Values
    may then be made of earlier ones of the same call.
    shifted: all bytes have 128 added.
    walk: where the values are in the constant as the network has it, as nested loops of (extent, stride), innermost
    first; () where they are in that order.
    """

    mirrored: bool = False
    tile: int = 0
    shifted: bool = False
    walk: Walk = ()

    @property
    def mask(self) -> int:
        """What the words of the stream are XORed with."""
        assert not (self.mirrored and self.shifted)
        return MIRRORED if self.mirrored else SHIFTED if self.shifted else 0


PLAIN = Layout()


@dataclass(frozen=True)
class Params:
    """Base of what a decoder's template sees: all of it is a compile-time parameter of its functions.

    `mask`: what the functions XOR words of the stream with; 0 too where the tables hold such values already.
    """

    mask: int


@dataclass(frozen=True, eq=False)
class Encoded:
    """A stream as it is kept: `arrays` are (role, values), as arguments of the decoder's `start`; `count` values.

    `symbols`: what the decoder reads one by one where that is not the values themselves, for its cycles.
    """

    arrays: tuple[tuple[str, Array], ...]
    params: Params
    count: int
    symbols: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of flash, tables included; the decoder's code is `Encoding.code_nbytes`."""
        return sum(values.nbytes for _, values in self.arrays)


class Encoding(ABC):
    """Subclasses are frozen dataclasses; every instance is registered in encodings/__init__.py under its `name`."""

    template: ClassVar[str]
    faster: ClassVar[Mapping[str, str]] = {}  # templates for larger instruction sets, by `target.cores.Isa.name`
    needs_tiles: ClassVar[bool] = False  # whether every call of `next` must ask for a tile of the layout

    needs_walk: ClassVar[bool] = False  # whether the layout must tell where the values come from

    def template_for(self, isa: str) -> str:
        """The template of the decoder for an instruction set."""
        return self.faster.get(isa, self.template)

    @property
    @abstractmethod
    def name(self) -> str:
        """What a recipe calls it."""

    @abstractmethod
    def fits(self, values: Array, layout: Layout = PLAIN) -> bool:
        """Whether the encoding represents these int8 values [count] exactly."""

    @abstractmethod
    def pays(self, values: Array) -> bool:
        """Whether it is worth a look where nobody asked for it: cheap, and False for weights of ordinary networks."""

    @abstractmethod
    def encode(self, values: Array, layout: Layout = PLAIN) -> Encoded:
        """int8 values [count] that fit, as they are before they are XORed with a mask."""

    @abstractmethod
    def decode(self, encoded: Encoded) -> Array:
        """The int8 [count] that the C writes: the values, XORed with the mask of the layout."""

    @abstractmethod
    def pace(self, params: Params) -> Pace:
        """What its decoder costs."""

    def code_nbytes(self, params: Params, isa: str = "") -> int:
        """Estimated bytes of machine code of `start` and `next`, for an instruction set named as in `template_for`."""
        pace = self.pace(params)
        return pace.code_nbytes + (pace.vector_nbytes if isa in self.faster else 0)

    def cycles(self, encoded: Encoded, cpu: str) -> float:
        """Estimated cycles of decoding the stream once; `cpu` as in `target.cores.Core.cpu`."""
        return self.pace(encoded.params).cycles(cpu, encoded.count, encoded.symbols)


def masked(values: Array, mask: int) -> Array:
    """int8 [count] as bytes of words that are XORed with `mask`; its own inverse."""
    changed: Array = np.array(values, np.int8)
    for k in range(4):
        changed[k::4] ^= np.array(mask >> 8 * k & 255, np.uint8).view(np.int8)
    return changed
