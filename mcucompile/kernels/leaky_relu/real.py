"""LeakyRelu of real numbers."""

from __future__ import annotations

from ...ops.leaky_relu import LeakyRelu
from ..unary.real import Real


class RealLeakyRelu(Real):
    op = LeakyRelu
    variant = "real"
    coefficients = ("alpha",)
    operations = 2
