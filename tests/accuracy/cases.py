"""Real networks with labelled data: how the stored values become the input, and what quantization may cost.

The networks and data are too large for the repository; MCUCOMPILE_MODELS and MCUCOMPILE_DATA name their folders.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A float network and its data: input = (stored - subtract) * multiply, axes in the order of `perm`.

    `calibration` and `tests` are .npz files with `x` [samples, ...] and `y`. int8 may be worse than float by `points`
    percentage points or, where the test set is small, by `samples` samples.
    """

    model: str
    calibration: str
    tests: tuple[str, ...]
    subtract: float = 0.0
    multiply: float = 1.0
    perm: tuple[int, ...] | None = None
    points: float | None = None
    samples: int | None = None

    def inputs(self, stored: Array) -> Array:
        real = (stored.astype(np.float32) - np.float32(self.subtract)) * np.float32(self.multiply)
        return real if self.perm is None else np.ascontiguousarray(real.transpose(self.perm))

    def calibration_inputs(self, folder: Path) -> Array:
        with np.load(folder / f"{self.calibration}.npz") as data:
            return self.inputs(data["x"])

    def test_set(self, folder: Path) -> tuple[Array, Array]:
        """All test inputs and labels."""
        xs, ys = [], []
        for name in self.tests:
            with np.load(folder / f"{name}.npz") as data:
                xs.append(self.inputs(data["x"]))
                ys.append(data["y"])
        return np.concatenate(xs), np.concatenate(ys)

    def allowed(self, total: int) -> float:
        """By how many samples of `total` int8 may be worse than float."""
        if self.samples is not None:
            return self.samples
        assert self.points is not None
        return self.points / 100 * total


KWS = {"calibration": "kws01_calibration", "tests": ("kws01_test",), "subtract": 83.0, "multiply": 0.58470291}
CIFAR = {"calibration": "cifar10_calibration", "tests": ("cifar10_test0", "cifar10_test1")}
MNIST = {"calibration": "mnist5000_calibration", "tests": ("mnist_t10k_test",), "multiply": 1 / 255}

CASES = {
    case.model: case
    for case in (
        Case("mlperf_ic_resnet8_f32", **CIFAR, points=1.0),
        Case("mlperf_kws_dscnn_f32", **KWS, points=1.0),
        Case("mlperf_vww_mbv1_025_f32", "vww_coco256_calibration", ("vww_coco256_test",), multiply=1 / 255, samples=3),
        Case("mlperf_strww_f32", "strww45_calibration", ("strww45_test",), samples=3),
        Case("alibaba_kws_7k_f32", **KWS, points=1.0),
        Case("trained_har_cnn1d", "hapt_har_calibration", ("hapt_har_test",), perm=(0, 2, 1), points=0.5),
        Case("trained_lenet5", **MNIST, points=0.5),
        Case("trained_lenet300_100", **MNIST, points=0.5),
        Case("trained_cifar_resnet8", **CIFAR, subtract=127.5, multiply=1 / 63.75, perm=(0, 3, 1, 2), points=0.5),
        Case(
            "trained_fsdd_dscnn32", "fsdd_logmel_calibration", ("fsdd_logmel_test",),
            subtract=-4.0, multiply=1 / 8, perm=(0, 3, 1, 2), samples=3,
        ),
    )
}  # fmt: skip
