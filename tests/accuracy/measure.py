"""Accuracy of post-training quantization on real networks, against the float network and ONNX Runtime's quantizer.

    python tests/accuracy/measure.py --models FOLDER --data FOLDER [NETWORK ...] [--dtype int8|int16x8] [--limit N]

Float and ONNX Runtime's QDQ network run in ONNX Runtime; ours runs in the bit-exact reference.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from cases import CASES, Array, Case
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from mcucompile.data import Samples
from mcucompile.ir import identifier
from mcucompile.options import NetworkType, Options, Ranges, Switch
from mcucompile.passes.calibrate import runner
from mcucompile.pipeline import prepare
from mcucompile.reference import quantized_inputs


@dataclass(frozen=True)
class Accuracy:
    """Right answers of the float network, ours and ONNX Runtime's int8; `agree` counts where ours answers as float."""

    total: int
    floating: int
    ours: int
    agree: int
    onnx_runtime: int
    chosen: str
    decibels: float
    seconds: float


class Reader(CalibrationDataReader):
    """Calibration inputs one by one, as ONNX Runtime wants them."""

    def __init__(self, name: str, inputs: Array) -> None:
        self.samples: Iterator[dict[str, Array]] = ({name: x} for x in inputs)

    def get_next(self) -> dict[str, Array] | None:
        return next(self.samples, None)


def session(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def answers_of_onnx_runtime(model: Path, inputs: Array) -> Array:
    run = session(model)
    name = run.get_inputs()[0].name
    return np.asarray([run.run(None, {name: x})[0].argmax() for x in inputs])


def quantized_by_onnx_runtime(model: Path, calibration: Array, folder: Path) -> Path:
    """Static quantization as its documentation recommends: pre-processed, QDQ, int8, weights per channel, min-max."""
    prepared, quantized = folder / "prepared.onnx", folder / "quantized.onnx"
    quant_pre_process(model, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared, quantized, Reader(session(model).get_inputs()[0].name, calibration), QuantFormat.QDQ,
        per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return quantized


def shaped(model: Path, inputs: Array) -> Array:
    """[samples, *input shape], the network's batch of 1 included."""
    return inputs.reshape(len(inputs), *session(model).get_inputs()[0].shape)


def our_answers(model: Path, calibration: Array, inputs: Array, options: Options) -> tuple[Array, str, float, float]:
    """Answers, what was chosen, its signal-to-noise ratio on the calibration samples, and seconds to quantize."""
    start = time.perf_counter()
    name = session(model).get_inputs()[0].name
    prepared = prepare(model, "net", options, Samples({identifier(name): calibration}))
    seconds = time.perf_counter() - start
    assert prepared.quantization
    stored = quantized_inputs(prepared.graph, {prepared.graph.inputs[0].name: inputs})
    scores = runner(prepared.graph, stored).outputs(stored)[prepared.graph.outputs[0]]
    trial = prepared.quantization.chosen
    chosen = trial.ranges + (" equalized" if trial.equalized else "") + (" corrected" if trial.bias_corrected else "")
    return scores.reshape(len(inputs), -1).argmax(axis=1), chosen, trial.decibels, seconds


def measure(case: Case, models: Path, data: Path, options: Options, limit: int | None = None) -> Accuracy:
    """Every number for one network, on all test samples or the first `limit`."""
    model = models / f"{case.model}.onnx"
    calibration = shaped(model, case.calibration_inputs(data))
    inputs, labels = case.test_set(data)
    inputs, labels = shaped(model, inputs)[:limit], labels[:limit]
    floats = answers_of_onnx_runtime(model, inputs)
    with tempfile.TemporaryDirectory() as folder:
        theirs = answers_of_onnx_runtime(quantized_by_onnx_runtime(model, calibration, Path(folder)), inputs)
    ours, chosen, decibels, seconds = our_answers(model, calibration, inputs, options)
    right = [int((answers == labels).sum()) for answers in (floats, ours, theirs)]
    agree = int((ours == floats).sum())
    return Accuracy(len(labels), right[0], right[1], agree, right[2], chosen, decibels, seconds)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--models", type=Path, required=True, help="folder of the .onnx files")
    parser.add_argument("--data", type=Path, required=True, help="folder of the .npz files")
    parser.add_argument("--limit", type=int, help="only the first test samples")
    parser.add_argument("--dtype", default="int8", choices=["int8", "int16x8"])
    parser.add_argument("--ranges", default="auto", choices=[r.value for r in Ranges])
    parser.add_argument("--equalize", default="auto", choices=[s.value for s in Switch])
    parser.add_argument("--correct-bias", default="auto", choices=[s.value for s in Switch])
    return parser.parse_args(argv)


def main() -> None:
    args = arguments()
    options = Options(
        dtype=NetworkType(args.dtype), ranges=Ranges(args.ranges), equalize=Switch(args.equalize),
        correct_bias=Switch(args.correct_bias),
    )  # fmt: skip
    print(f"{'network':24} {'n':>5} {'float %':>8} {'int8 %':>8} {'agree %':>8} {'ORT %':>8} {'dB':>6} {'s':>5} chosen")
    for name in args.networks or CASES:
        a = measure(CASES[name], args.models, args.data, options, args.limit)
        percent = " ".join(f"{100 * n / a.total:8.2f}" for n in (a.floating, a.ours, a.agree, a.onnx_runtime))
        print(f"{name:24} {a.total:5} {percent} {a.decibels:6.1f} {a.seconds:5.1f} {a.chosen}", flush=True)


if __name__ == "__main__":
    main()
