"""The benchmarks, on what takes seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from needs import needs_emulator

from mcucompile.target.cores import CORES

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    import networks

    return networks


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    import kernels

    return kernels


def test_peers_are_of_known_cores_and_networks(networks: ModuleType) -> None:
    peers = networks.read_peers()
    assert {p.core for p in peers} <= set(CORES)
    assert {p.network for p in peers} == set(networks.NETWORKS)
    assert all(min(p.instructions, p.cycles, p.ram, p.flash) > 0 for p in peers)


def test_the_best_peer_has_right_outputs(networks: ModuleType) -> None:
    result = networks.Result("vww", "qemu-m4", "cortex-m4f", "O2", 1, 1, 1, 0.0, 1, 1, None, None)
    best = networks.best_peer(networks.read_peers(), result)
    assert (best.name, best.instructions) == ("TFLM + CMSIS-NN", 23_429_671)  # another is faster, and wrong


@needs_emulator
def test_networks(
    networks: ModuleType, shared_model: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_model("mlperf_ad_autoenc_int8").parent
    assert networks.main([str(folder), "--network", "ad", "--board", "qemu-m4", "--setting", "O2", "--verify"]) == 0
    text = capsys.readouterr().out
    assert "573,203" in text and "TFLM + CMSIS-NN" in text
    options = ["--network", "ad", "--board", "qemu-m4", "--setting", "O2", "--json"]
    assert networks.main([str(folder), *options]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["macs"] == 264_192
    assert result["peer"]["instructions"] == 573_203
    assert f"{result['instructions']:,}" in text


def test_a_missing_network_is_an_error(
    networks: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert networks.main([str(tmp_path), "--network", "ad"]) == 2
    assert "mlperf_ad_autoenc_int8.onnx" in capsys.readouterr().err


@needs_emulator
def test_kernels(kernels: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert kernels.main(["--board", "qemu-m4", "--layer", "dense 1x64->", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert {r["macs"] for r in results} == {64 * 12}
    assert len({r["kernel"] for r in results}) == len(results) > 1
    assert all(r["instructions"] > r["macs"] / 2 for r in results)
    assert kernels.main(["--board", "qemu-m4", "--layer", "softmax"]) == 0
    assert "softmax 12" in capsys.readouterr().out
