"""The cycles by which kernels are chosen, against those of the instructions that run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import mcucompile
from mcucompile.run.cycles import cycle_plugin
from mcucompile.run.tools import find_tool, find_toolchain

NETWORKS = ("kws_dscnn", "vww_mbv1_025", "ic_resnet8", "ad_autoenc", "strww")
BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
SHORT = {("ad_autoenc", board) for board in BOARDS} | {(network, "qemu-m4") for network in NETWORKS}
MOST = 0.15
REFERENCE_COMPILER = "12.2"  # costs are fitted to its code


def pairs() -> list[object]:
    """The long ones take a minute or two together."""
    every = [(network, board) for network in NETWORKS for board in BOARDS]
    return [pytest.param(*pair, marks=() if pair in SHORT else pytest.mark.long) for pair in every]


@pytest.mark.parametrize(("network", "board"), pairs())
def test_cycles_are_predicted(network: str, board: str, shared_model: Callable[[str], Path]) -> None:
    if not (find_tool("arm-none-eabi-gcc") and REFERENCE_COMPILER in find_toolchain().version):
        pytest.skip(f"needs arm-none-eabi-gcc {REFERENCE_COMPILER}")
    if cycle_plugin().path is None:
        pytest.skip(f"cycles cannot be estimated: {cycle_plugin().missing}")
    profile = mcucompile.compile(shared_model(f"mlperf_{network}_int8"), board).profile()
    assert profile.prediction_error is not None
    assert abs(profile.prediction_error) <= MOST
    assert profile.overhead <= 0.01 * profile.total
