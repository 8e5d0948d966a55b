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
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir import Array

LEAST_SAVED = 128  # bytes of flash below which no encoding is tried that nobody asked for


@dataclass(frozen=True)
class Layout:
    """What a kernel wants of a stream.

    mirrored: bytes at even places of the stream have 128 added (see kernels/conv2d/mirrored.py).
    tile: every call of `next` asks for so many values, the last one for what is left; 0 where nothing is known. Values
    may then be made of earlier ones of the same call.
    """

    mirrored: bool = False
    tile: int = 0


PLAIN = Layout()


@dataclass(frozen=True)
class Params:
    """Base of what a decoder's template sees: all of it is a compile-time parameter of its functions."""

    mirrored: bool


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

    @property
    @abstractmethod
    def name(self) -> str:
        """What a recipe calls it."""

    @abstractmethod
    def fits(self, values: Array) -> bool:
        """Whether the encoding represents these int8 values [count] exactly."""

    @abstractmethod
    def pays(self, values: Array) -> bool:
        """Whether it is worth a look where nobody asked for it: cheap, and False for weights of ordinary networks."""

    @abstractmethod
    def encode(self, values: Array, layout: Layout = PLAIN) -> Encoded:
        """int8 values [count] that fit, as they are before any mirroring."""

    @abstractmethod
    def decode(self, encoded: Encoded) -> Array:
        """The int8 [count] that the C writes: the values, mirrored where the layout says so."""

    @abstractmethod
    def code_nbytes(self, params: Params) -> int:
        """Estimated bytes of machine code of `start` and `next`."""

    @abstractmethod
    def cycles(self, encoded: Encoded, cpu: str) -> float:
        """Estimated cycles of decoding the stream once; `cpu` as in `target.cores.Core.cpu`."""


def mirrored_bytes(values: Array) -> Array:
    """int8 [count] with 128 added to those at even places; its own inverse."""
    changed: Array = np.array(values, np.int8)
    changed[0::2] ^= -128
    return changed


def laid_out(values: Array, as_in: Params | Layout) -> Array:
    """The values as the kernel wants them."""
    return mirrored_bytes(values) if as_in.mirrored else np.asarray(values, np.int8)
