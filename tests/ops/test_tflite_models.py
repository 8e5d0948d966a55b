"""Whole int8 networks that came from .tflite files: the bytes that TensorFlow Lite Micro gives for the original."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcucompile.frontend import load
from mcucompile.ir import Numerics
from mcucompile.pipeline import PASSES_AFTER, PASSES_BEFORE, run_passes
from mcucompile.reference import evaluate

pytest.importorskip("tflite_micro", reason="the oracle of --numerics tflite, the PyPI wheel tflite-micro, is missing")
from tflite_oracle import run_model

# Networks whose ONNX file holds all that the .tflite file says; tf2onnx dropped a bias of micro_speech.
NETWORKS = [
    "mlperf_ad_autoenc_int8",
    "mlperf_ic_resnet8_int8",
    "mlperf_kws_dscnn_int8",
    "mlperf_strww_int8",
    "mlperf_vww_mbv1_025_int8",
    "tflm_hello_world_int8",
    "tflm_person_detect_int8",
]


@pytest.mark.parametrize("name", NETWORKS)
def test_network_gives_the_bytes_of_tensorflow_lite_micro(name: str, shared_model: Callable[[str], Path]) -> None:
    path = shared_model(name)
    graph = load(path).graph
    graph.numerics = Numerics.TFLITE
    run_passes(graph, PASSES_BEFORE)
    run_passes(graph, PASSES_AFTER)
    original = (path.parent / "tflite" / f"{name}.tflite").read_bytes()
    (x,), (y,) = graph.inputs, graph.outputs
    for seed in range(3):
        stored = np.random.default_rng(seed).integers(-128, 128, x.shape).astype(np.int8)
        (want,) = run_model(original, stored)
        assert np.array_equal(evaluate(graph, {x.name: stored})[y.name], want.reshape(y.shape))
