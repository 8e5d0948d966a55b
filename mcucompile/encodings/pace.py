"""How fast decoders are: measured in the emulator with its cycle model, gcc 12 -O2, tiles of 2,048 values."""

from __future__ import annotations

from dataclasses import dataclass

CPUS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
LIKE = {"cortex-m0plus": "cortex-m0", "cortex-m23": "cortex-m0", "cortex-m35p": "cortex-m33"}
PerCpu = tuple[float, float, float, float, float, float]
NOTHING: PerCpu = (0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Pace:
    """Cycles per value and per symbol of a stream, for each of CPUS, and bytes of Thumb-2 code; Helium has more."""

    code_nbytes: int
    per_value: PerCpu
    per_symbol: PerCpu = NOTHING
    vector_nbytes: int = 0

    def cycles(self, cpu: str, values: int, symbols: int = 0) -> float:
        """Estimated cycles on a core as the compilers name it."""
        known = LIKE.get(cpu, cpu)
        k = CPUS.index(known) if known in CPUS else CPUS.index("cortex-m55")
        return values * self.per_value[k] + symbols * self.per_symbol[k]


PACES = {
    "int4": Pace(210, (2.7, 2.2, 2.2, 1.0, 1.9, 0.6), vector_nbytes=200),
    "int2": Pace(250, (2.2, 1.7, 1.7, 1.0, 1.6, 0.6), vector_nbytes=250),
    "ternary": Pace(360, (6.0, 3.4, 3.4, 1.6, 3.2, 0.8), vector_nbytes=280),
    "binary": Pace(330, (2.1, 1.5, 1.5, 1.0, 1.4, 0.8), vector_nbytes=440),
    "codebook": Pace(330, (8.5, 6.6, 5.4, 4.4, 4.9, 4.6)),
    "codebook of 2 or 4 bits": Pace(330, (7.7, 6.5, 5.1, 4.2, 4.8, 0.8), vector_nbytes=190),
    "words of 2": Pace(310, (4.0, 2.7, 2.6, 1.9, 2.1, 2.2)),
    "words of 4": Pace(310, (2.1, 1.5, 1.4, 0.7, 1.0, 0.9)),
    "words of 8": Pace(400, (1.7, 1.3, 1.2, 0.5, 0.9, 0.8)),
    "words of 2 by bytes": Pace(310, (4.1, 2.7, 2.6, 1.9, 2.1, 0.5)),
    "words of 4 by bytes": Pace(310, (2.1, 1.5, 1.4, 0.7, 1.0, 0.4)),
    "words of 8 by bytes": Pace(400, (1.7, 1.3, 1.2, 0.5, 0.9, 0.3)),
    "huffman": Pace(130, (30.5, 19.1, 18.7, 11.5, 17.1, 16.0)),
    "huffman runs": Pace(270, (1.9, 1.5, 1.2, 0.7, 1.2, 0.4), (52.5, 31.4, 30.4, 22.0, 25.7, 25.7)),
    "hashed": Pace(260, (53.5, 30.2, 29.0, 21.9, 28.2, 25.3)),
    "lossless": Pace(290, (10.0, 7.6, 7.5, 1.9, 5.5, 3.4), (63.6, 48.1, 47.8, 44.2, 38.2, 46.1)),
}
