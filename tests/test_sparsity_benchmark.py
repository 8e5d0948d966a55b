"""The benchmark of sparse weights, on what takes seconds."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from needs import needs_emulator

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def sparsity(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    import sparsity

    return sparsity


def test_patterns_have_just_the_zeros_that_are_asked_for(sparsity: ModuleType) -> None:
    weights = sparsity.thinned(np.ones((8, 3, 3, 8), np.int8), 0.75, 4, 4)
    assert np.count_nonzero(weights) == weights.size // 4
    assert set(weights.reshape(2, 4, 9, 2, 4).sum(axis=(1, 4)).ravel()) == {0, 16}


def test_break_even_is_where_the_line_meets_the_limit(sparsity: ModuleType) -> None:
    assert sparsity.from_share([0.5, 0.9], [60, 20], 40) == pytest.approx(0.7)
    assert sparsity.from_share([0.5, 0.9], [60, 20], 200) == 0.0
    assert sparsity.from_share([0.5, 0.9], [60, 50], 5) == 1.0
    assert sparsity.from_share([0.5], [60], 40) is None


@needs_emulator
def test_skipping_nine_of_ten_weights_pays(sparsity: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--board", "qemu-m4", "--layer", "dense 1x128", "--pattern", "single", "--zeros", "0.9", "--json"]
    assert sparsity.main(options) == 0
    dense, *sparse = json.loads(capsys.readouterr().out)
    of_kernel = {r["measured"]["kernel"]: r["measured"] for r in sparse}
    assert set(of_kernel) == {"sparse_relative.dsp", "sparse_bitmap.dsp"}
    relative, best = of_kernel["sparse_relative.dsp"], dense["measured"]
    assert relative["instructions"] < 0.75 * best["instructions"]
    assert relative["flash"] < best["flash"] / 2
