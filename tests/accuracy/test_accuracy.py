"""int8 keeps the accuracy of real networks. `-m long` judges on all test samples, the default run on a few."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cases import CASES
from measure import measure

from mcucompile.options import Options

DATA = Path(os.environ.get("MCUCOMPILE_DATA", Path(__file__).parents[3] / "shared" / "data"))
NOT_WORSE_THAN_ONNX_RUNTIME = (0.5, 2)  # percentage points, or samples where that is more
QUICK = ("mlperf_strww_f32", "trained_har_cnn1d")
FEW = 200


@pytest.fixture(scope="session")
def folders(shared_model: Callable[[str], Path]) -> tuple[Path, Path]:
    models = shared_model("mlperf_strww_f32").parent
    if not DATA.is_dir():
        pytest.skip("no labelled data: set MCUCOMPILE_DATA to the folder of the .npz files")
    return models, DATA


def check(network: str, folders: tuple[Path, Path], limit: int | None) -> None:
    case = CASES[network]
    a = measure(case, *folders, Options(), limit)
    points, samples = NOT_WORSE_THAN_ONNX_RUNTIME
    assert a.floating - a.ours <= case.allowed(a.total), a
    assert a.onnx_runtime - a.ours <= max(points / 100 * a.total, samples), a


@pytest.mark.long
@pytest.mark.parametrize("network", CASES)
def test_all_samples(network: str, folders: tuple[Path, Path]) -> None:
    check(network, folders, None)


@pytest.mark.parametrize("network", QUICK)
def test_few_samples(network: str, folders: tuple[Path, Path]) -> None:
    check(network, folders, FEW)
