"""How far a compiled network's outputs are from the real-valued network's, as engineers know it from vendor tools."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ir import Array


@dataclass(frozen=True)
class Metrics:
    """Of one output over all samples, y against the reference r, both real-valued.

    rmse = sqrt(mean((y-r)^2)); mae = mean(|y-r|); l2r = |y-r| / |r|; nse = 1 - sum((y-r)^2) / sum((r-mean(r))^2)
    (Nash-Sutcliffe efficiency); cos = y.r / (|y||r|); agreement = share of samples with the same largest entry;
    accuracy and real_accuracy = shares of samples whose largest entry is the label, None without labels of classes.
    The last three are None for an output of one element; all but the accuracy are where there is no r.
    """

    rmse: float | None = None
    mae: float | None = None
    l2r: float | None = None
    nse: float | None = None
    cos: float | None = None
    agreement: float | None = None
    accuracy: float | None = None
    real_accuracy: float | None = None


@np.errstate(invalid="ignore", over="ignore")
def compare(y: Array, r: Array, labels: Array | None = None) -> Metrics:
    """y and r are [samples, ...]; labels, where given, [samples].

    Infinite or NaN entries give infinite or NaN figures.
    """
    count = len(y)
    a, b = y.reshape(count, -1).astype(np.float64), r.reshape(count, -1).astype(np.float64)
    error = a - b
    spread = float(((b - b.mean()) ** 2).sum())
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return Metrics(
        rmse=float(np.sqrt((error**2).mean())),
        mae=float(np.abs(error).mean()),
        l2r=float(np.linalg.norm(error)) / max(float(np.linalg.norm(b)), 1e-30),
        nse=1 - float((error**2).sum()) / spread if spread else float(not error.any()),
        cos=float((a * b).sum()) / norms if norms else float(not error.any()),
        agreement=float((a.argmax(axis=1) == b.argmax(axis=1)).mean()) if a.shape[1] > 1 else None,
        accuracy=accuracy(y, labels),
        real_accuracy=accuracy(r, labels),
    )


def accuracy(y: Array, labels: Array | None) -> float | None:
    """The share of samples whose largest entry is the label; None without one class number per sample."""
    scores = y.reshape(len(y), -1)
    if labels is None or labels.size != len(y) or labels.dtype.kind not in "iuf" or scores.shape[1] < 2:
        return None
    return float((scores.argmax(axis=1) == labels.ravel()).mean())
