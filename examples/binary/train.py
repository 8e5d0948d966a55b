"""Train a binary network on handwritten digits and export it to ONNX: signs in, signs of weights, bits on a device.

Needs `pip install torch==2.13.0 scikit-learn==1.9.1 onnx==1.22.0 onnxruntime==1.31.1`; takes a minute on one core.
Writes into `--output`: binary.onnx, calibration.npz (100 of the training images) and test.npz (400 held-out images).
Images are scikit-learn's digits, 8x8 pixels in 0..1. To compile the network and to run it on an emulated board:

    mcucompile compile examples/binary/binary.onnx --board qemu-m4 --calibration examples/binary/calibration.npz
    mcucompile verify examples/binary/binary.onnx --board qemu-m4 --calibration examples/binary/calibration.npz \\
        --data examples/binary/test.npz

The first layer is real-valued. Then come two binary convolutions and a binary fully connected layer, trained as
XNOR-Net was: weights are alpha * sign(w), alpha the mean of |w| in an output channel; the gradient passes a sign
unchanged where its input lies within -1..1. Layers:

    conv 3x3 1->32, real     batch norm, sign                    32x8x8
    conv 3x3 32->32, binary  batch norm, max pool 2x2, sign      32x4x4      padded with +1, as Larq may
    conv 3x3 32->64, binary  batch norm, sign                    64x4x4      padded with 0
    dense 1024->10, binary   batch norm                          10

sign(0) is 1, which ONNX's Sign cannot say: the file has Larq's sign(sign(x) + 0.1). Weights are stored as int8 signs.
The shipped network, from `--seed 1`, classifies 395 of the 400 held-out images rightly (0.988) in ONNX Runtime.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

SPLIT_SEED = 5000
TEST, CALIBRATION = 400, 100
EPOCHS = 40
BATCH = 64
PEAK_LEARNING_RATE = 0.01
ABOVE_ZERO = 0.1  # makes the sign of zero 1


def load_images() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """All 1,797 images as [N,1,8,8] in 0..1, and their labels."""
    pixels, labels = load_digits(return_X_y=True)
    return (pixels.reshape(-1, 1, 8, 8) / 16).astype(np.float32), labels.astype(np.int64)


def shifted(images: Tensor) -> Tensor:
    """Each image moved by up to one pixel."""
    around = functional.pad(images, (1, 1, 1, 1))
    views = torch.stack([around[:, :, y : y + 8, x : x + 8] for y in range(3) for x in range(3)])
    chosen: Tensor = views[torch.randint(9, (len(images),)), torch.arange(len(images))]
    return chosen


class SignWithGradient(torch.autograd.Function):
    """Sign, 1 at zero, whose gradient is that of a limit to -1..1."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients[0] * (x.abs() <= 1)


def sign(x: Tensor) -> Tensor:
    result: Tensor = SignWithGradient.apply(x)
    return result


class Layer(nn.Module):
    """A convolution, padded with `border`, or with kernel 0 a fully connected layer, and its batch normalization."""

    def __init__(self, inputs: int, outputs: int, kernel: int, binary: bool, border: float = 0.0) -> None:
        super().__init__()
        shape = (outputs, inputs, kernel, kernel) if kernel else (outputs, inputs)
        self.weight = nn.Parameter(torch.randn(shape) * 0.1)
        self.bn = nn.BatchNorm2d(outputs) if kernel else nn.BatchNorm1d(outputs)
        self.binary, self.border = binary, border

    def alpha(self) -> Tensor:
        """The magnitude of each output channel's weights."""
        return self.weight.abs().flatten(1).mean(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        if self.binary:
            weight = sign(weight) * self.alpha().reshape(-1, *[1] * (weight.dim() - 1))
        if weight.dim() == 2:
            sums = functional.linear(x, weight)
        else:
            sums = functional.conv2d(functional.pad(x, (1, 1, 1, 1), value=self.border), weight)
        result: Tensor = self.bn(sums)
        return result


class BinaryNet(nn.Module):
    """[N,1,8,8] images in 0..1 -> [N,10] scores."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                Layer(1, 32, 3, binary=False),
                Layer(32, 32, 3, binary=True, border=1.0),
                Layer(32, 64, 3, binary=True),
                Layer(1024, 10, 0, binary=True),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        first, second, third, last = self.layers
        x = sign(functional.max_pool2d(second(sign(first(x))), 2))
        scores: Tensor = last(sign(third(x)).flatten(1))
        return scores


def train(network: BinaryNet, images: Tensor, labels: Tensor) -> None:
    """In place, for EPOCHS epochs with Adam under a one-cycle learning rate; nothing is selected."""
    batches = len(images) // BATCH
    optimizer = torch.optim.Adam(network.parameters(), lr=PEAK_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, EPOCHS * batches)
    network.train()
    for epoch in range(EPOCHS):
        start, total = time.perf_counter(), 0.0
        for batch in torch.randperm(len(images))[: batches * BATCH].split(BATCH):
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(shifted(images[batch])), labels[batch], label_smoothing=0.05)
            loss.backward()
            optimizer.step()
            schedule.step()
            for layer in network.layers:
                if layer.binary:  # beyond -1..1 a weight would get no gradient any more
                    layer.weight.data.clamp_(-1, 1)
            total += loss.item()
        print(
            f"epoch {epoch + 1:2}/{EPOCHS}  loss {total / batches:.4f}  {time.perf_counter() - start:.1f} s", flush=True
        )


class Writer:
    """An ONNX graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, op_type: str, name: str, *inputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op_type, list(inputs), [name], name=name, **attributes))
        return name

    def sign(self, name: str, x: str) -> str:
        """1 at zero, as Larq writes it."""
        shift = self.constant(f"{name}_shift", np.float32(ABOVE_ZERO).reshape(()))
        return self.node("Sign", name, self.node("Add", f"{name}_more", self.node("Sign", f"{name}_three", x), shift))

    def layer(self, name: str, layer: Layer, x: str) -> str:
        weight = self.weight(f"{name}_weight", layer)
        if layer.weight.dim() == 2:
            x = self.node("Gemm", f"{name}_sums", x, weight, transB=1)
        else:
            pads = [0 if layer.border else 1] * 4
            if layer.border:
                border = self.constant(f"{name}_border", np.float32(layer.border).reshape(()))
                around = self.constant(f"{name}_around", np.asarray([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
                x = self.node("Pad", f"{name}_padded", x, around, border)
            x = self.node("Conv", f"{name}_sums", x, weight, kernel_shape=[3, 3], pads=pads)
        bn = {
            "scale": layer.bn.weight,
            "bias": layer.bn.bias,
            "mean": layer.bn.running_mean,
            "var": layer.bn.running_var,
        }
        given = [self.constant(f"{name}_{key}", array(value)) for key, value in bn.items()]
        return self.node("BatchNormalization", name, x, *given, epsilon=layer.bn.eps)

    def weight(self, name: str, layer: Layer) -> str:
        """Binary ones as signs, which a byte holds, times alpha."""
        values = array(layer.weight)
        if not layer.binary:
            return self.constant(name, values)
        signs = self.constant(f"{name}_signs", np.where(values >= 0, 1, -1).astype(np.int8))
        alpha = array(layer.alpha()).reshape(-1, *[1] * (values.ndim - 1))
        real = self.node("Cast", f"{name}_real", signs, to=onnx.TensorProto.FLOAT)
        return self.node("Mul", name, real, self.constant(f"{name}_alpha", alpha))


def array(values: Tensor) -> npt.NDArray[np.float32]:
    return values.detach().numpy().astype(np.float32)


def export(network: BinaryNet) -> onnx.ModelProto:
    """ONNX opset 17, batch 1; batch normalization stays as nodes of its own."""
    w, (first, second, third, last) = Writer(), network.layers
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    x = w.layer("conv2", second, w.sign("sign1", w.layer("conv1", first, "image")))
    x = w.sign("sign2", w.node("MaxPool", "pool2", x, **pool))
    x = w.sign("sign3", w.layer("conv3", third, x))
    w.layer("scores", last, w.node("Flatten", "flat", x))
    ports = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in PORTS.items()]
    graph = helper.make_graph(w.nodes, "binary", ports[:1], ports[1:], w.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


PORTS = {"image": [1, 1, 8, 8], "scores": [1, 10]}


def correct(model: onnx.ModelProto, images: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> int:
    """How many of the images ONNX Runtime classifies rightly."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = [int(session.run(["scores"], {"image": image[None]})[0].argmax()) for image in images]
    return int(np.sum(np.array(found) == labels))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the binary example and export it to ONNX.")
    parser.add_argument("--seed", type=int, default=1, help="initial weights, order and distortions (default 1)")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder for binary.onnx")
    arguments = parser.parse_args()
    start, folder = time.perf_counter(), arguments.output
    images, labels = load_images()
    order = np.random.RandomState(SPLIT_SEED).permutation(len(images))
    test, training = order[:TEST], order[TEST:]
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)  # the number of threads changes the last bits of sums
    network = BinaryNet()
    train(network, torch.from_numpy(images[training]), torch.from_numpy(labels[training]))
    model = export(network.eval())

    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "binary.onnx")
    np.savez_compressed(folder / "calibration.npz", image=images[training[:CALIBRATION]])
    np.savez_compressed(folder / "test.npz", image=images[test], y=labels[test].astype(np.uint8))
    print(f"{'images':<24}{'count':>8}{'correct':>9}{'accuracy':>10}")
    for name, indices in (("training", training), ("test, held out", test)):
        right = correct(model, images[indices], labels[indices])
        print(f"{name:<24}{len(indices):>8}{right:>9}{right / len(indices):>10.3f}")
    print(f"{(folder / 'binary.onnx').stat().st_size:,} bytes of ONNX, {time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
