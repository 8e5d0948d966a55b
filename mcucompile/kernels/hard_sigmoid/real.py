"""HardSigmoid of real numbers."""

from __future__ import annotations

from ...ops.hard_sigmoid import HardSigmoid
from ..unary.real import Real


class RealHardSigmoid(Real):
    op = HardSigmoid
    variant = "real"
    coefficients = ("alpha", "beta")
    operations = 4
