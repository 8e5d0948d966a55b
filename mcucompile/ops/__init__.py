"""Every operator, one per file."""

from ..ir import Op
from .clamp import Clamp
from .conv2d import Conv2d
from .dense import Dense
from .depthwise_conv2d import DepthwiseConv2d
from .dequantize import Dequantize
from .quantize import Quantize
from .reshape import Reshape
from .split import Split
from .transpose import Transpose

ALL: tuple[type[Op], ...] = (Clamp, Conv2d, Dense, DepthwiseConv2d, Dequantize, Quantize, Reshape, Split, Transpose)

__all__ = [op.__name__ for op in ALL]
