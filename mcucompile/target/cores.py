"""The Cortex-M cores: instruction set, compiler flags."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Isa(IntEnum):
    """Instruction sets that kernels are written for; a core runs its own and all lower ones."""

    SCALAR = 0  # any core, M0 and M0+ included
    MAINLINE = 1  # Thumb-2 with MLA, SMULL and SSAT: M3
    DSP = 2  # SMLAD, SXTB16: M4, M7, M33, M35P
    MVE = 3  # Helium: M55, M85, M52


@dataclass(frozen=True)
class Core:
    """`cpu` is the compilers' name of the core, `fpu` their name of its floating-point unit ("" = none)."""

    name: str
    cpu: str
    isa: Isa
    fpu: str = ""

    @property
    def has_fpu(self) -> bool:
        return bool(self.fpu)

    @property
    def gcc_flags(self) -> tuple[str, ...]:
        if not self.has_fpu:
            return ("-mthumb", f"-mcpu={self.cpu}", "-mfloat-abi=soft")
        return ("-mthumb", f"-mcpu={self.cpu}", f"-mfpu={self.fpu}", "-mfloat-abi=hard")


CORES = {
    core.name: core
    for core in (
        Core("cortex-m0", "cortex-m0", Isa.SCALAR),
        Core("cortex-m0plus", "cortex-m0plus", Isa.SCALAR),
        Core("cortex-m3", "cortex-m3", Isa.MAINLINE),
        Core("cortex-m4", "cortex-m4", Isa.DSP),
        Core("cortex-m4f", "cortex-m4", Isa.DSP, "fpv4-sp-d16"),
        Core("cortex-m7", "cortex-m7", Isa.DSP, "fpv5-d16"),
        Core("cortex-m33", "cortex-m33", Isa.DSP, "fpv5-sp-d16"),
        Core("cortex-m55", "cortex-m55", Isa.MVE, "auto"),
    )
}
