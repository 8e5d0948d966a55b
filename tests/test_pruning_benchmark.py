"""The pruning benchmark, on what takes seconds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
DATA = Path(os.environ.get("MCUCOMPILE_DATA", Path(__file__).parents[2] / "shared" / "data"))


def test_scan(
    monkeypatch: pytest.MonkeyPatch, shared_model: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The five families of a network of depthwise and pointwise layers, as they are and fitted."""
    if not DATA.is_dir():
        pytest.skip("no labelled data: set MCUCOMPILE_DATA to the folder of the .npz files")
    models = shared_model("mlperf_kws_dscnn_f32").parent
    monkeypatch.syspath_prepend(FOLDER)
    import pruning

    where = ["--models", str(models), "--data", str(DATA), "--limit", "10"]
    assert pruning.main(["mlperf_kws_dscnn_f32", *where, "--scan", "--criterion", "l1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("plain" in line for line in lines) == sum("fitted" in line for line in lines) == 5
