"""How fast decoders are, as measured in the emulator with gcc 12 -O2 and its cycle model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Cores whose code and cycles are nearly those of another one.
_LIKE = {
    "cortex-m0plus": "cortex-m0",
    "cortex-m4f": "cortex-m4",
    "cortex-m23": "cortex-m0",
    "cortex-m35p": "cortex-m33",
    "cortex-m85": "cortex-m55",
    "cortex-m52": "cortex-m55",
}


@dataclass(frozen=True)
class Pace:
    """Cycles per unit (a value, a symbol) by core, and bytes of code on Thumb-2."""

    per_unit: Mapping[str, float]
    code_nbytes: int

    def cycles(self, cpu: str, units: float) -> float:
        """Estimated cycles of so many units on a core named as the compilers name it."""
        known = _LIKE.get(cpu, cpu)
        return units * (self.per_unit[known] if known in self.per_unit else max(self.per_unit.values()))


PACES: dict[str, Pace] = {
    "int4": Pace({"cortex-m0": 3.0, "cortex-m4": 1.6}, 160),
    "int2": Pace({"cortex-m0": 3.0, "cortex-m4": 1.5}, 180),
    "ternary": Pace({"cortex-m0": 4.5, "cortex-m4": 3.0}, 240),
    "codebook": Pace({"cortex-m0": 6.0, "cortex-m4": 4.5}, 240),
    "words": Pace({"cortex-m0": 2.0, "cortex-m4": 1.5}, 240),
    "huffman": Pace({"cortex-m0": 20.0, "cortex-m4": 12.0}, 340),
    "lossless": Pace({"cortex-m0": 10.0, "cortex-m4": 7.0}, 300),
    "binary": Pace({"cortex-m0": 3.5, "cortex-m4": 1.6}, 240),
}
