"""Bounds on real networks: RAM, flash, and instructions counted with the reference compiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from needs import needs_emulator

import mcucompile
from mcucompile.run.tools import find_toolchain

REFERENCE_COMPILER = "12.2"


@dataclass(frozen=True)
class Bound:
    """Bytes of arena and flash, and instructions, on a Cortex-M4F."""

    arena: int
    instructions: int
    flash: int = 1 << 20


# What this project promises itself: below half of the best open tool's instructions (benchmarks/peers.toml).
BOUNDS = {
    "mlperf_kws_dscnn_int8": Bound(10 << 10, 2_900_000, 45 << 10),
    "mlperf_vww_mbv1_025_int8": Bound(42 << 10, 4_900_000),
    "mlperf_ic_resnet8_int8": Bound(40 << 10, 7_700_000, 280 << 10),
    "mlperf_ad_autoenc_int8": Bound(2_355, 285_000),
    "mlperf_strww_int8": Bound(5 << 10, 1_000_000),
}
# The same at -Os.
SMALL_BOUNDS = {
    "mlperf_kws_dscnn_int8": Bound(10 << 10, 3_200_000, 36 << 10),
    "mlperf_vww_mbv1_025_int8": Bound(42 << 10, 5_400_000, 60 << 10),
    "mlperf_ic_resnet8_int8": Bound(36 << 10, 11_000_000, 92 << 10),
    "mlperf_ad_autoenc_int8": Bound(1 << 10, 340_000, 275 << 10),
    "mlperf_strww_int8": Bound(5 << 10, 1_150_000),
}


@needs_emulator
@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("effort", ["-O2", "-Os"])
def test_bounds_on_cortex_m4(name: str, effort: str, shared_model: Callable[[str], Path]) -> None:
    bound = (BOUNDS if effort == "-O2" else SMALL_BOUNDS)[name]
    compiled = mcucompile.compile(shared_model(name), "qemu-m4", effort=effort)
    assert compiled.program.arena_nbytes <= bound.arena
    assert compiled.program.arena_nbytes <= 1.02 * compiled.program.arena_lower_bound
    if REFERENCE_COMPILER not in find_toolchain().version:
        pytest.skip(f"instructions are bounded for gcc {REFERENCE_COMPILER} only")
    profile = compiled.profile()
    assert profile.total <= bound.instructions
    assert profile.firmware.library_flash_nbytes <= bound.flash


@needs_emulator
@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55"])
def test_keyword_spotting_on_every_core(board: str, shared_model: Callable[[str], Path]) -> None:
    result = mcucompile.compile(shared_model("mlperf_kws_dscnn_int8"), board).verify(per_layer=True)
    assert result.ok, result.mismatch
    assert result.over_serial == 10
    assert result.stack_nbytes <= (1024 if board == "qemu-m55" else 512)
