"""Mean of int8 over a window, four channels a load."""

from __future__ import annotations

from ...target.cores import Isa
from .sums import Sums


class Words(Sums):
    variant = "words"
    isa = Isa.DSP
    per_tap = 1.7
    most_taps = 256  # as many int8 as 16 bits can sum
    least_channels = 4
