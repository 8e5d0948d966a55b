"""From calibration samples to the range of every activation."""

from .batch import Runner, Samples, runner
from .histogram import Histogram
from .observe import observe
from .ranges import METHODS, Range

__all__ = ["METHODS", "Histogram", "Range", "Runner", "Samples", "observe", "runner"]
