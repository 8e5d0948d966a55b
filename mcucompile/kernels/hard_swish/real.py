"""HardSwish of real numbers."""

from __future__ import annotations

from ...ops.hard_swish import HardSwish
from ..unary.real import Real


class RealHardSwish(Real):
    op = HardSwish
    variant = "real"
    operations = 12
