"""The benchmark of chains, on what takes seconds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from needs import needs_emulator

import mcucompile
from mcucompile.data import Samples
from mcucompile.frontend import load
from mcucompile.ir import Array

FOLDER = Path(__file__).parents[1] / "benchmarks"
DATA = Path(os.environ.get("MCUCOMPILE_DATA", Path(__file__).parents[2] / "shared" / "data"))


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
    model = shared_model("trained_lenet300_100")
    if not DATA.is_dir():
        pytest.skip("no labelled data: set MCUCOMPILE_DATA to the folder of the .npz files")
    folders = ["--models", str(model.parent), "--data", str(DATA)]
    options = ["--board", "qemu-m4", "--layer", "lenet300 fc1", "--method", "low_rank", "--ratio", "0.2", "--json"]
    assert low_rank.main([*folders, *options]) == 0
    plain, chain = json.loads(capsys.readouterr().out)
    outputs, inputs = 300, 784
    rank = int(0.2 * outputs * inputs / (outputs + inputs))  # the largest that leaves a fifth of the multiplications
    found = [(r["chain"]["weights"], r["chain"]["macs"]) for r in (plain, chain)]
    assert found == [(outputs * inputs,) * 2, (rank * (outputs + inputs),) * 2]
    assert f"rank {rank}" in chain["chain"]["text"]
    images = low_rank.CASES[model.stem].calibration_inputs(DATA)[: low_rank.SAMPLES]
    assert plain["chain"]["lost"] == 0
    assert 0 < chain["chain"]["lost"] <= lost_by_truncation(model, images, rank)
    assert chain["chain"]["lost"] < chain["chain"]["lost_int8"] < chain["chain"]["lost"] + 0.01
    for result, passes in ((plain, ""), (chain, f"low_rank=rank:{rank}@*1/Gemm")):
        assert result["instructions"] == pytest.approx(instructions_in_network(model, images, passes), rel=0.01)


def lost_by_truncation(model: Path, images: Array, rank: int) -> float:
    """Of the first layer's outputs, with its weights' truncated SVD, which no samples help."""
    weight, bias = (onnx.numpy_helper.to_array(t).astype(float) for t in onnx.load(model).graph.initializer[:2])
    u, s, v = np.linalg.svd(weight, full_matrices=False)
    x = images.reshape(len(images), -1)
    want, got = (np.maximum(x @ w.T + bias, 0) for w in (weight, (u[:, :rank] * s[:rank]) @ v[:rank]))
    return float(np.square(want - got).sum() / np.square(want).sum())


def instructions_in_network(model: Path, images: Array, passes: str) -> int:
    """Of all steps of the first layer, where it is one of three."""
    (x,) = load(model).graph.inputs
    compiled = mcucompile.compile(
        model, "qemu-m4", calibration=Samples({x.name: images.reshape(-1, *x.shape)}), passes=passes
    )
    return sum(s.instructions for s in compiled.profile().layers[:-2])
