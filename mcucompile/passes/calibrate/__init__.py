"""From calibration samples to the range of every activation."""

from .batch import Batch, Runner, Samples, count_of, runner
from .histogram import Histogram
from .observe import observe
from .ranges import METHODS, Range

__all__ = ["METHODS", "Batch", "Histogram", "Range", "Runner", "Samples", "count_of", "observe", "runner"]
