"""Tanh of real numbers."""

from __future__ import annotations

from ...ops.tanh import Tanh
from ..unary.real import Real


class RealTanh(Real):
    op = Tanh
    variant = "real"
    operations = 40
