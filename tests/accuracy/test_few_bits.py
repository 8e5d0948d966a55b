"""Few bits and many zeros without any training: what they cost real networks, on all test samples."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cases import CASES
from measure import answers_of_onnx_runtime, our_answers, shaped

from mcucompile.options import Options
from mcucompile.recipe import parse_recipe

DATA = Path(os.environ.get("MCUCOMPILE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def points_lost(model: Path, passes: str, calibration: str | None = None) -> float:
    """Percentage points between the float network and the compressed one in int8."""
    if not DATA.is_dir():
        pytest.skip("no labelled data: set MCUCOMPILE_DATA to the folder of the .npz files")
    case = CASES[model.stem]
    inputs, labels = case.test_set(DATA)
    with np.load(DATA / f"{calibration or case.calibration}.npz") as data:
        samples = shaped(model, case.inputs(data["x"]))
    inputs = shaped(model, inputs)
    ours, *_ = our_answers(model, samples, inputs, Options(recipe=parse_recipe(passes)))
    floats = answers_of_onnx_runtime(model, inputs)
    return 100 * float((floats == labels).mean() - (ours == labels).mean())


@pytest.mark.long
def test_four_bits(shared_model: Callable[[str], Path]) -> None:
    """Every layer, the first and the last included."""
    assert points_lost(shared_model("mlperf_ic_resnet8_f32"), "quantize_weights=4") <= 1.5


@pytest.mark.long
def test_bits_shared_out_under_a_budget(shared_model: Callable[[str], Path]) -> None:
    """2.8 bits on average."""
    assert points_lost(shared_model("mlperf_ic_resnet8_f32"), "quantize_weights=auto+budget:0.35") <= 2.5


@pytest.mark.long
@pytest.mark.parametrize(("network", "amount"), [("trained_lenet300_100", 0.9), ("trained_lenet5", 0.95)])
def test_few_weights_of_few_bits(network: str, amount: float, shared_model: Callable[[str], Path]) -> None:
    """The network's own training images, without their labels, are the calibration samples."""
    passes = f"prune_weights={amount}+scope:global,quantize_weights=4"
    assert points_lost(shared_model(network), passes, "mnist5000_train") <= 0.5
