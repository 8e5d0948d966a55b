"""Mean of int8 over a window, four channels at a time."""

from __future__ import annotations

from ...target.cores import Isa
from .sums import Sums


class Vectors(Sums):
    variant = "vectors"
    isa = Isa.MVE
    per_tap = 1.2
