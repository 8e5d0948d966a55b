"""Enlargement of an NHWC image by repeating pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Arrays, Builder, Exporter, Node, OnnxNode, Shape, Unsupported, nchw, nhwc
from .conv2d import from_image, to_image
from .same_scale import SameScale

LARGEST_FACTOR = 1024


@dataclass(frozen=True)
class Resize(SameScale):
    """y[n,i,j,c] = x[n, i // factors[0], j // factors[1], c]."""

    factors: tuple[int, int]

    name = "resize"
    onnx = ("Resize", "Upsample")

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        ((n, h, w, c),) = shapes
        return ((n, h * self.factors[0], w * self.factors[1], c),)

    def reference(self, *args: Array) -> Arrays:
        return (args[0].repeat(self.factors[0], axis=1).repeat(self.factors[1], axis=2),)

    def is_homogeneous(self, node: Node, channels: int) -> bool:
        return True

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        mode = node.string("mode", "nearest")
        if mode != "nearest":
            raise Unsupported(f"mode {mode!r}", "use nearest")
        if len(x.shape) not in (3, 4):
            raise Unsupported(f"resizing over {len(x.shape) - 2} axes")
        scales = scales_of(node, build, x.shape)
        factors = [repetition(node, size, scale) for size, scale in zip(x.shape, scales, strict=True)]
        if factors[:2] != [1, 1]:
            raise Unsupported("resizing of batch or channels")
        height, width = (1, factors[2]) if len(factors) == 3 else factors[2:]
        y = build.emit(cls((height, width)), to_image(build, x), name=node.name)
        build.result(node, from_image(build, y, len(x.shape)))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        scales = export.initializer("scales", np.asarray([1, 1, *self.factors], np.float32))
        image = export.transpose(export.value(node.inputs[0]), nchw(4))
        (y,) = export.node(
            "Resize", [image, "", scales], mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        export.result(node, export.transpose(y, nhwc(4)))


def scales_of(node: OnnxNode, build: Builder, shape: Shape) -> list[float]:
    """One scale per axis, from `scales` or `sizes`; `axes` may name those they are about."""
    given = build.values(node, 1 if node.op_type == "Upsample" else 2)
    sizes = build.values(node, 3) if given is None or given.size == 0 else None
    axes = node.ints("axes", tuple(range(len(shape))))
    if node.string("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Unsupported("keep_aspect_ratio_policy")
    scales = [1.0] * len(shape)
    for i, axis in enumerate(axes):
        scales[axis] = float(sizes.ravel()[i]) / shape[axis] if sizes is not None else float(require(given).ravel()[i])
    return scales


def require(values: Array | None) -> Array:
    if values is None or values.size == 0:
        raise Unsupported("neither scales nor sizes")
    return values


def repetition(node: OnnxNode, size: int, scale: float) -> int:
    """The factor by which every entry of an axis is repeated. Raises Unsupported when the axis is resized otherwise."""
    factor = round(scale)
    if factor == scale == 1:
        return 1
    if factor < 1 or factor != scale or factor > LARGEST_FACTOR:
        raise Unsupported(f"a scale of {scale:g}", "use a whole number")
    outputs = np.arange(size * factor)
    source = np.clip(nearest(node, coordinates(node, outputs, size, factor)), 0, size - 1)
    if not np.array_equal(source, outputs // factor):
        raise Unsupported("a coordinate transformation that does not just repeat", "use asymmetric with floor")
    return factor


def coordinates(node: OnnxNode, outputs: Array, size: int, factor: int) -> Array:
    """Where ONNX's coordinate transformation looks for each output, along one axis."""
    mode = "asymmetric" if node.op_type == "Upsample" else node.string("coordinate_transformation_mode", "half_pixel")
    match mode:
        case "asymmetric":
            return outputs / factor
        case "half_pixel" | "half_pixel_symmetric":
            return (outputs + 0.5) / factor - 0.5
        case "pytorch_half_pixel":
            return (outputs + 0.5) / factor - 0.5 if len(outputs) > 1 else outputs * 0.0
        case "tf_half_pixel_for_nn":
            return (outputs + 0.5) / factor
        case "align_corners":
            return outputs * ((size - 1) / max(size * factor - 1, 1))
    raise Unsupported(f"coordinate_transformation_mode {mode!r}")


def nearest(node: OnnxNode, position: Array) -> Array:
    """ONNX's nearest_mode."""
    mode = "floor" if node.op_type == "Upsample" else node.string("nearest_mode", "round_prefer_floor")
    match mode:
        case "floor":
            return np.floor(position)
        case "ceil":
            return np.ceil(position)
        case "round_prefer_floor":
            return np.ceil(position - 0.5)
        case "round_prefer_ceil":
            return np.floor(position + 0.5)
    raise Unsupported(f"nearest_mode {mode!r}")
