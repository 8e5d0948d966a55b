"""Sigmoid of real numbers."""

from __future__ import annotations

from ...ops.sigmoid import Sigmoid
from ..unary.real import Real


class RealSigmoid(Real):
    op = Sigmoid
    variant = "real"
    operations = 40
