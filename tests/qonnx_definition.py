"""What Quant, BipolarQuant and Trunc mean, written down from the published definition (package qonnx 1.0) in numpy."""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

DOMAIN = "qonnx.custom_op.general"

Array = npt.NDArray[Any]
Numbers = Array | float
ROUNDINGS = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.fix,
    "ROUND_TO_ZERO": np.fix,  # the name in the written specification for what the package calls DOWN
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}


def limits(bits: float, signed: bool, narrow: bool) -> tuple[float, float]:
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def steps(x: Array, scale: Numbers, zero: Numbers, bits: int, signed: bool, narrow: bool, mode: str) -> Array:
    """The integers before the zero point is taken off."""
    y = x.astype(np.float32) / np.asarray(scale, np.float32) + np.asarray(zero, np.float32)
    if bits == 1 and signed:
        return np.where(y >= 0, np.float32(1), np.float32(-1))
    low, high = limits(bits, signed, narrow)
    return np.asarray(ROUNDINGS[mode](np.clip(y, np.float32(low), np.float32(high))))


def quant(x: Array, scale: Numbers, zero: Numbers, bits: int, signed: bool, narrow: bool, mode: str) -> Array:
    integers = steps(x, scale, zero, bits, signed, narrow, mode) - np.asarray(zero, np.float32)
    return np.asarray(integers * np.asarray(scale, np.float32), np.float32)


def bipolar(x: Array, scale: Numbers) -> Array:
    return np.asarray(np.where(x >= 0, np.float32(1), np.float32(-1)) * np.asarray(scale, np.float32))


def trunc(x: Array, scale: float, before: int, after: int, mode: str) -> Array:
    """Version 1, zero point 0."""
    y = np.round(x / np.float32(scale)) / np.float32(2 ** (before - after))
    return np.asarray(ROUNDINGS[mode](y) * np.float32(scale), np.float32)


def trunc_2(x: Array, scale: float, out_scale: float, bits: int, signed: bool, narrow: bool, mode: str) -> Array:
    """Version 2, zero point 0."""
    y = np.round(x / np.float32(scale)) / np.float32(2 ** np.round(np.log2(out_scale / scale)))
    return np.asarray(ROUNDINGS[mode](np.clip(y, *limits(bits, signed, narrow))) * np.float32(out_scale), np.float32)


class Quant(OpRun):
    op_domain = DOMAIN

    def _run(self, x, scale, zero, bits, signed=1, narrow=0, rounding_mode="ROUND"):  # type: ignore[no-untyped-def]
        return (quant(x, scale, zero, int(bits), bool(signed), bool(narrow), rounding_mode),)


class BipolarQuant(OpRun):
    op_domain = DOMAIN

    def _run(self, x, scale):  # type: ignore[no-untyped-def]
        return (bipolar(x, scale),)


class Trunc(OpRun):
    op_domain = DOMAIN

    def _run(self, x, scale, zero, before, after, rounding_mode="FLOOR"):  # type: ignore[no-untyped-def]
        return (trunc(x, float(scale), int(before), int(after), rounding_mode),)


def run_model(proto: ModelProto, feeds: dict[str, Array]) -> list[Array]:
    """A model with nodes of QONNX, by onnx.reference and the definitions above."""
    return list(ReferenceEvaluator(proto, new_ops=[Quant, BipolarQuant, Trunc]).run(None, feeds))
