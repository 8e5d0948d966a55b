"""Every operator, one per file."""

from ..ir import Op
from .add import Add
from .affine import Affine
from .average_pool import AveragePool
from .binary_conv2d import BinaryConv2d
from .binary_max_pool import BinaryMaxPool
from .clamp import Clamp
from .concat import Concat
from .conv2d import Conv2d
from .dense import Dense
from .depthwise_conv2d import DepthwiseConv2d
from .dequantize import Dequantize
from .div import Div
from .hard_sigmoid import HardSigmoid
from .hard_swish import HardSwish
from .leaky_relu import LeakyRelu
from .log_softmax import LogSoftmax
from .matmul import MatMul
from .max import Max
from .max_pool import MaxPool
from .min import Min
from .mul import Mul
from .pack_signs import PackSigns
from .pad import Pad
from .prelu import PRelu
from .quantize import Quantize
from .reduce_mean import ReduceMean
from .requantize import Requantize
from .reshape import Reshape
from .resize import Resize
from .sigmoid import Sigmoid
from .sign import Sign
from .slice import Slice
from .softmax import Softmax
from .split import Split
from .sub import Sub
from .tanh import Tanh
from .transpose import Transpose

# fmt: off
ALL: tuple[type[Op], ...] = (
    Add, Affine, AveragePool, BinaryConv2d, BinaryMaxPool, Clamp, Concat, Conv2d, Dense, DepthwiseConv2d, Dequantize,
    Div, HardSigmoid, HardSwish, LeakyRelu, LogSoftmax, MatMul, Max, MaxPool, Min, Mul, PackSigns, Pad, PRelu, Quantize,
    ReduceMean, Requantize, Reshape, Resize, Sigmoid, Sign, Slice, Softmax, Split, Sub, Tanh, Transpose,
)
# fmt: on

__all__ = [op.__name__ for op in ALL]
