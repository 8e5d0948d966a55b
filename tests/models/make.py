"""Write the small ONNX networks that the test-suite reads: `python tests/models/make.py [--output FOLDER]`.

Needs numpy, onnx and onnxruntime. The files it writes are committed; `test_make.py` checks that this script still
gives the same. Each model passes `onnx.checker` and runs in ONNX Runtime before anything is written; those of QONNX,
whose operators it does not know, are run by their definition in the tests.

| file                 | opset | what it is there for                                                                 |
|----------------------|-------|--------------------------------------------------------------------------------------|
| classifier           | 17    | conv / batch norm / relu, depthwise, residual add, pooling, Gemm, softmax in float   |
| classifier_qdq_int8  | 17    | the same in QDQ int8: per-channel symmetric weights, asymmetric activations          |
| classifier_qdq_uint8 | 17    | the same in QDQ uint8: per-tensor, activations and weights asymmetric                |
| multi_io             | 17    | 3 inputs, 4 outputs: Add, Mul, Concat, Split, Resize, Slice, Pad, Transpose          |
| conv1d_shapes        | 11    | 1-D conv, dilation, MatMul + Add, shape arithmetic, Constant nodes                   |
| opset7               | 7     | IR 3 (initializers are inputs); Clip, Pad, Slice, Squeeze, Upsample with attributes  |
| opset9               | 9     | Upsample-9, Slice and Unsqueeze with attributes, Dropout with an unused mask         |
| activations          | 17    | one output per operator: activations, Sub/Div/Min/Max, reductions, pools             |
| qonnx_w4a4           | 15    | QONNX: 4-bit weights and activations, batch norm, depthwise, residual add            |
| qonnx_w2a4           | 15    | QONNX: ternary weights in Constant nodes, pooling, an output that is not quantized   |
| qonnx_binary         | 15    | QONNX: binary weights, activations of 2 bits and of 1                                |
| qonnx_trunc          | 15    | QONNX: Trunc behind a sum over windows                                               |
| classifier_qcdq      | 13    | QuantizeLinear, Clip, DequantizeLinear: 3-bit weights, 4-bit activations             |
| classifier_int4      | 21    | packed int4 and uint4 weights, 8-bit and 4-bit activations                           |
| weights_int4         | 21    | packed int4 weights in a network of real numbers                                     |
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import compressed_networks
import networks
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import ModelProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Feed = dict[str, npt.NDArray[np.float32]]

CALIBRATION_SAMPLES = 16
COMPRESSED = (
    "qonnx_w4a4", "qonnx_w2a4", "qonnx_binary", "qonnx_trunc", "classifier_qcdq", "classifier_int4", "weights_int4",
)  # fmt: skip


class RandomImages(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Feeds for calibration: multiples of 1/64 in -1..1 in the shapes of the model's inputs, everywhere the same."""

    def __init__(self, model: ModelProto) -> None:
        self.feeds: Iterator[Feed] = iter([random_feed(model, seed) for seed in range(CALIBRATION_SAMPLES)])

    def get_next(self) -> Feed | None:
        return next(self.feeds, None)


def random_feed(model: ModelProto, seed: int) -> Feed:
    """One random value in -1..1 per graph input that is not an initializer."""
    rng = np.random.RandomState(seed)
    constants = {tensor.name for tensor in model.graph.initializer}
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in model.graph.input
        if value.name not in constants
    }
    return {name: (rng.randint(-64, 65, size=shape) / 64).astype(np.float32) for name, shape in shapes.items()}


def quantized(model: ModelProto, kind: QuantType, per_channel: bool) -> ModelProto:
    """`model` as onnxruntime's static quantization gives it: QuantizeLinear/DequantizeLinear around every operator."""
    with tempfile.TemporaryDirectory() as folder:
        source, prepared, result = (Path(folder, f"{step}.onnx") for step in ("source", "prepared", "quantized"))
        onnx.save(model, source)  # quant_pre_process moves the weights of a model that it gets in memory to a file
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            result,
            RandomImages(model),
            quant_format=QuantFormat.QDQ,
            per_channel=per_channel,
            activation_type=kind,
            weight_type=kind,
        )
        return in_fixed_order(onnx.load(result))


def in_fixed_order(model: ModelProto) -> ModelProto:
    """Sort what onnxruntime writes in another order in each process (it comes out of a randomized hash table)."""
    model.opset_import.sort(key=lambda opset: opset.domain)
    for node in model.graph.node:
        node.attribute.sort(key=lambda attribute: attribute.name)
    return model


def build_all() -> dict[str, ModelProto]:
    """Every model by file name without its ending."""
    classifier = networks.classifier()
    return {
        "classifier": classifier,
        "classifier_qdq_int8": quantized(classifier, QuantType.QInt8, per_channel=True),
        "classifier_qdq_uint8": quantized(classifier, QuantType.QUInt8, per_channel=False),
        "multi_io": networks.multi_io(),
        "conv1d_shapes": networks.conv1d_shapes(),
        "opset7": networks.opset7(),
        "opset9": networks.opset9(),
        "activations": networks.activations(),
        **{name: getattr(compressed_networks, name)() for name in COMPRESSED},
    }


def check(model: ModelProto) -> None:
    """The checker accepts it, ONNX Runtime runs it; each output is finite, not constant and of the shape stated."""
    if any(node.domain == compressed_networks.QONNX for node in model.graph.node):
        onnx.checker.check_model(model)
        return
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    results = session.run(None, random_feed(model, seed=100))
    for value, result in zip(session.get_outputs(), results, strict=True):
        assert list(result.shape) == value.shape, f"{value.name}: {result.shape} instead of {value.shape}"
        assert np.isfinite(result).all(), value.name
        assert np.ptp(result) > 0, value.name


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the ONNX networks of the test-suite.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    folder: Path = parser.parse_args().output
    models = build_all()
    for model in models.values():
        check(model)
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        print(f"{name:<22}{model.ByteSize():>7,} bytes")


if __name__ == "__main__":
    main()
