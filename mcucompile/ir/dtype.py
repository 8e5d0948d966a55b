"""Element types, each with its numpy and its C name."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]


class DType(Enum):
    """The value is numpy's name of the type. U32 is words of bits: see ops/bits.py."""

    F32 = "float32"
    I8 = "int8"
    U8 = "uint8"
    I16 = "int16"
    I32 = "int32"
    I64 = "int64"
    U32 = "uint32"

    @property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.value)

    @property
    def c(self) -> str:
        return "float" if self is DType.F32 else f"{self.value}_t"

    @property
    def nbytes(self) -> int:
        return _NBYTES[self]

    @property
    def is_integer(self) -> bool:
        return self is not DType.F32

    @property
    def low(self) -> int:
        """The smallest stored integer."""
        return int(np.iinfo(self.value).min)

    @property
    def high(self) -> int:
        """The largest stored integer."""
        return int(np.iinfo(self.value).max)


_NBYTES = {dtype: dtype.numpy.itemsize for dtype in DType}
