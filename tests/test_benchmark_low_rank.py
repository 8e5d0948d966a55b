"""The benchmark of chains, on what takes seconds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mcucompile.run.tools import find_tool

FOLDER = Path(__file__).parents[1] / "benchmarks"
DATA = Path(os.environ.get("MCUCOMPILE_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_emulator = pytest.mark.skipif(
    not (find_tool("arm-none-eabi-gcc") and find_tool("qemu-system-arm")),
    reason="needs arm-none-eabi-gcc and qemu-system-arm",
)


@pytest.fixture
def low_rank(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    import low_rank

    return low_rank


def test_where_a_chain_stops_paying(low_rank: ModuleType) -> None:
    assert low_rank.pays_to([(0.2, 30), (0.4, 50)], 100) == pytest.approx(0.9)
    assert low_rank.pays_to([(0.2, 30), (0.4, 50)], 1000) == 1
    assert low_rank.pays_to([(0.2, 30), (0.4, 50)], 5) == 0
    assert low_rank.pays_to([(0.2, 30)], 100) is None
    assert low_rank.pays_to([(0.2, 30), (0.4, 50)], None) is None


@needs_emulator
def test_a_layer(low_rank: ModuleType, shared_model: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    models = shared_model("trained_lenet300_100").parent
    if not DATA.is_dir():
        pytest.skip("no labelled data: set MCUCOMPILE_DATA to the folder of the .npz files")
    folders = ["--models", str(models), "--data", str(DATA)]
    options = ["--board", "qemu-m4", "--layer", "lenet300 fc1", "--method", "low_rank", "--ratio", "0.2"]
    assert low_rank.main([*folders, *options]) == 0
    text = capsys.readouterr().out
    assert "(as it is)" in text and "low_rank, rank 43" in text and "46,612" in text
