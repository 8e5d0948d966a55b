"""The logarithm of the softmax of real numbers."""

from __future__ import annotations

from ...ops.log_softmax import LogSoftmax
from ..softmax.rows import RealRows


class Real(RealRows):
    op = LogSoftmax
