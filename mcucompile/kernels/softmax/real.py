"""Softmax of real numbers."""

from __future__ import annotations

from ...ops.softmax import Softmax
from .rows import RealRows


class Real(RealRows):
    op = Softmax
