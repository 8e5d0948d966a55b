"""From calibration samples to the range of every activation."""

from .batch import Batch, Runner, Samples, count_of, runner
from .histogram import Histogram
from .observe import Observation, observe, sample_mean
from .ranges import METHODS, Range

# fmt: off
__all__ = [
    "METHODS", "Batch", "Histogram", "Observation", "Range", "Runner", "Samples", "count_of", "observe", "runner",
    "sample_mean",
]
