"""Write networks as Brevitas exports them, with what PyTorch computes: `python tests/models/brevitas/make.py`.

Needs torch and brevitas (made with 2.13 and 0.13.4). Exports of other versions may name and order nodes otherwise, so
that the files are committed and nothing checks that they can be made again.

| file     | what it is there for                                                                                     |
|----------|----------------------------------------------------------------------------------------------------------|
| residual | 4-bit weights per channel and activations, bias of 32 bits, a sum of 5 bits, an average pool with Trunc 2 |
| plain    | 2-bit weights, 4-bit activations, batch normalization, depthwise; a result that is not quantized          |
| qcdq     | the same with 4-bit weights as QuantizeLinear, Clip, DequantizeLinear                                     |
| binary   | binary weights, activations of 2 bits                                                                     |
"""

from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import onnx
import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int32Bias,
    SignedBinaryWeightPerTensorConst,
    TruncTo8bit,
)
from torch import Tensor, nn

FOLDER = Path(__file__).parent
SAMPLES, OPSET = 8, 17


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        quantizers = {"weight_bit_width": 4, "weight_quant": Int8WeightPerChannelFloat, "bias_quant": Int32Bias}
        known = {"return_quant_tensor": True}
        self.image = qnn.QuantIdentity(bit_width=8, **known)
        self.first = qnn.QuantConv2d(3, 8, 3, stride=2, bias=True, **quantizers, **known)
        self.relu = qnn.QuantReLU(bit_width=4, **known)
        self.second = qnn.QuantConv2d(8, 8, 3, padding=1, bias=True, **quantizers, **known)
        ends = {"input_quant": Int8ActPerTensorFloat, "output_quant": Int8ActPerTensorFloat}
        self.sum = qnn.QuantEltwiseAdd(bit_width=5, **ends, **known)
        self.relu_of_sum = qnn.QuantReLU(bit_width=4, **known)
        self.pool = qnn.TruncAvgPool2d(5, trunc_quant=TruncTo8bit, bit_width=4, **known)
        self.dense = qnn.QuantLinear(8, 10, bias=True, output_quant=Int8ActPerTensorFloat, **quantizers)

    def forward(self, image: Tensor) -> Tensor:
        x = self.relu(self.first(self.image(image)))
        return self.dense(self.pool(self.relu_of_sum(self.sum(x, self.second(x)))).flatten(1))


def plain(bits: int, **quantizers: object) -> nn.Module:
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, bit_width=8),
        qnn.QuantConv2d(3, 8, 3, stride=2, bias=False, **quantizers), nn.BatchNorm2d(8), qnn.QuantReLU(bit_width=bits),
        qnn.QuantConv2d(8, 8, 3, padding=1, groups=8, bias=False, **quantizers), nn.BatchNorm2d(8),
        qnn.QuantReLU(bit_width=bits),
        qnn.QuantConv2d(8, 16, 1, bias=True, **quantizers), qnn.QuantReLU(bit_width=bits),
        nn.MaxPool2d(2), nn.Flatten(), qnn.QuantLinear(64, 10, bias=True, **quantizers),
    )  # fmt: skip


def networks() -> dict[str, nn.Module]:
    per_channel = {"weight_quant": Int8WeightPerChannelFloat}
    binary = {"weight_quant": SignedBinaryWeightPerTensorConst, "weight_scaling_init": 0.1}
    return {
        "residual": Residual(),
        "plain": plain(4, weight_bit_width=2, **per_channel),
        "qcdq": plain(4, weight_bit_width=4, **per_channel),
        "binary": plain(2, **binary),
    }


def without_traces(path: Path) -> None:
    """All in one file, without the exporter's notes on where in which source file each node came from."""
    model = onnx.load(path)
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")
    onnx.save(model, path)
    path.with_suffix(".onnx.data").unlink(missing_ok=True)


def main() -> None:
    for seed, (name, network) in enumerate(networks().items()):
        torch.manual_seed(seed)
        images = torch.randint(-64, 65, (64, 3, 12, 12)) / 64
        network.train()
        for _ in range(3):  # scales and batch statistics
            network(images)
        network.eval()
        samples = images[:SAMPLES]
        wanted = network(samples).detach().numpy()
        export = export_onnx_qcdq if name == "qcdq" else export_qonnx
        export(network, args=samples[:1], export_path=str(FOLDER / f"{name}.onnx"), opset_version=OPSET)
        without_traces(FOLDER / f"{name}.onnx")
        np.savez_compressed(FOLDER / f"{name}.npz", x=samples.numpy(), y=wanted)


if __name__ == "__main__":
    main()
