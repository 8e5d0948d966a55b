"""Runs the calibration samples through the float graph and remembers the distribution of every activation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...errors import CompileError
from ...ir import Array, Tensor
from .batch import Runner, Samples, count_of
from .histogram import Histogram


@dataclass(eq=False)
class Observation:
    """What is known of one activation after all samples.

    `mean` is the mean over the samples at every position, in the tensor's shape; None where a batched run moves the
    samples away from the first axis. `reach` is the largest magnitude along the last axis.
    """

    histogram: Histogram = field(default_factory=Histogram)
    mean: Array | None = None
    reach: Array | None = None

    def add(self, tensor: Tensor, values: Array, count: int, total: int) -> None:
        self.histogram.add(values)
        part = sample_mean(tensor, values, count)
        if part is not None:
            self.mean = part * (count / total) + (0.0 if self.mean is None else self.mean)
        reach = np.abs(values).max(axis=tuple(range(values.ndim - 1)))
        self.reach = reach if self.reach is None else np.maximum(self.reach, reach)


def sample_mean(tensor: Tensor, values: Array, count: int) -> Array | None:
    """The mean of a batched tensor's values over the samples, in float64 and the tensor's shape."""
    if values.shape == tensor.shape and count == 1:
        return values.astype(np.float64)
    if values.shape != (count, *tensor.shape[1:]):
        return None
    return np.asarray(values.mean(axis=0, keepdims=True, dtype=np.float64))


def observe(runner: Runner, samples: Samples) -> dict[Tensor, Observation]:
    """One observation per float activation. Raises E0202 when the network computes NaN or infinity from the samples."""
    found = {t: Observation() for t in runner.graph.activations() if not t.dtype.is_integer}
    for part in runner.parts(samples):
        values = runner.trace(part)
        for t, observation in found.items():
            if not np.isfinite(values[t]).all():
                raise CompileError(
                    "E0202", f"the calibration data makes the network compute NaN or infinity in %{t.name}",
                    fix="check the scale of the data: the preprocessing is probably not that of the training",
                )  # fmt: skip
            observation.add(t, values[t], count_of(part), count_of(samples))
    return found
