"""The geometry that convolution and pooling share: a window that slides over an NHWC image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..ir import Array, OnnxNode, Shape


@dataclass(frozen=True)
class Window:
    """kernel, strides, dilations as (y, x); pads as (top, left, bottom, right)."""

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first to the last tap."""
        (kh, kw), (dh, dw) = self.kernel, self.dilations
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        top, left, bottom, right = self.pads
        eh, ew = self.extent
        return (height + top + bottom - eh) // self.strides[0] + 1, (width + left + right - ew) // self.strides[1] + 1

    def band(self, rows: range, height: int) -> tuple[Window, range]:
        """The window that gives these output rows alone, and the input rows, of `height`, that it slides over."""
        top, left, _, right = self.pads
        first = rows.start * self.strides[0] - top
        last = (rows.stop - 1) * self.strides[0] - top + self.extent[0]
        pads = (max(-first, 0), left, max(last - height, 0), right)
        return replace(self, pads=pads), range(max(first, 0), min(last, height))

    def reaches_inside(self, height: int, width: int) -> bool:
        """Whether every window has a tap in the image of this size."""
        image = (height, width)
        for axis, outputs in enumerate(self.output_size(height, width)):
            first = np.arange(outputs)[:, None] * self.strides[axis] - self.pads[axis]
            taps = first + np.arange(self.kernel[axis]) * self.dilations[axis]
            if not ((taps >= 0) & (taps < image[axis])).any(axis=1).all():
                return False
        return True

    def views(self, x: Array, fill: int | float = 0) -> Array:
        """Every window of x [N,H,W,C], padded with `fill`, as [N,OH,OW,C,KH,KW]."""
        top, left, bottom, right = self.pads
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
        (eh, ew), (sh, sw), (dh, dw) = self.extent, self.strides, self.dilations
        return sliding_window_view(padded, (eh, ew), axis=(1, 2))[:, ::sh, ::sw, :, ::dh, ::dw]

    def __str__(self) -> str:
        text = f"{self.kernel[0]}x{self.kernel[1]}"
        text += f"/{self.strides[0]}x{self.strides[1]}" if self.strides != (1, 1) else ""
        text += f" dilated {self.dilations[0]}x{self.dilations[1]}" if self.dilations != (1, 1) else ""
        return text + (f" pad {','.join(map(str, self.pads))}" if any(self.pads) else "")


def window_from_onnx(node: OnnxNode, kernel: tuple[int, ...], image: Shape, ceil_mode: bool = False) -> Window:
    """The window of an ONNX Conv or Pool over an image of spatial shape `image` (one or two axes).

    auto_pad is resolved here. With ceil_mode the end is padded until the last, partial window fits, unless that
    window would start in the padding (ONNX's rule).
    """
    rank = len(kernel)
    strides, dilations = node.ints("strides", (1,) * rank), node.ints("dilations", (1,) * rank)
    pads = node.ints("pads", (0,) * (2 * rank))
    begins, ends = list(pads[:rank]), list(pads[rank:])
    auto_pad = node.string("auto_pad", "NOTSET")
    for i in range(rank):
        extent = (kernel[i] - 1) * dilations[i] + 1
        if auto_pad == "VALID":
            begins[i] = ends[i] = 0
        elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            total = max(0, (-(-image[i] // strides[i]) - 1) * strides[i] + extent - image[i])
            begins[i] = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            ends[i] = total - begins[i]
        elif ceil_mode:
            ends[i] += ceil_padding(image[i], begins[i], ends[i], extent, strides[i])
    if rank == 1:
        return Window((1, kernel[0]), (1, strides[0]), (0, begins[0], 0, ends[0]), (1, dilations[0]))
    (b0, b1), (e0, e1) = begins, ends
    return Window((kernel[0], kernel[1]), (strides[0], strides[1]), (b0, b1, e0, e1), (dilations[0], dilations[1]))


def ceil_padding(size: int, begin: int, end: int, extent: int, stride: int) -> int:
    """Extra padding at the end that makes room for the partial window of ceil_mode."""
    span = size + begin + end - extent
    last = -(-span // stride)
    if last * stride >= size + begin:  # the window would start in the padding
        last -= 1
    return max(0, last * stride - span)
