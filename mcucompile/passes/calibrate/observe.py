"""Runs the calibration samples through the float graph and remembers the distribution of every activation."""

from __future__ import annotations

import numpy as np

from ...errors import CompileError
from ...ir import Graph, Tensor
from .batch import Runner, Samples
from .histogram import Histogram


def observe(graph: Graph, runner: Runner, samples: Samples) -> dict[Tensor, Histogram]:
    """A histogram per float activation. Raises E0202 when the network computes NaN or infinity from the samples."""
    found = {t: Histogram() for t in graph.activations() if not t.dtype.is_integer}
    for values in runner.traces(samples):
        for t, histogram in found.items():
            if not np.isfinite(values[t]).all():
                raise CompileError(
                    "E0202", f"the calibration data makes the network compute NaN or infinity in %{t.name}",
                    fix="check the scale of the data: the preprocessing is probably not that of the training",
                )  # fmt: skip
            histogram.add(values[t])
    return found
