"""Every fully connected kernel against the reference, on the host and on all emulated boards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from graphs import LayerCase, case, with_type
from one_node import activation
from rig import BOARDS, Case, check

from mcucompile.ir import Clip, DType, Numerics, QuantParams, Shape, constant
from mcucompile.ops.dense import Dense


@dataclass(frozen=True)
class Layer(LayerCase):
    """One layer to test: x [*rows, inputs] to [*rows, outputs]."""

    rows: Shape
    inputs: int
    outputs: int

    def case(self, seed: int) -> Case:
        weight = (self.outputs, self.inputs)
        return self.made(Dense(self.clip), (*self.rows, self.inputs), weight, seed, samples=2)


LAYERS = (
    Layer((1,), 1, 1),
    Layer((1,), 2, 3, zero_x=-128, zero_y=127),
    Layer((1,), 4, 4, zero_x=127, zero_y=-128),
    Layer((1,), 5, 7, clip=Clip(0.0, 3.0)),
    Layer((1,), 16, 17, zero_x=-128, zero_y=-128, clip=Clip(0.0)),
    Layer((1,), 33, 8, zero_x=5, per_channel=False),
    Layer((1,), 128, 5, zero_x=-3),
    Layer((1,), 640, 16, zero_x=-128),
    Layer((1,), 577, 9, zero_x=127),
    Layer((1,), 391, 130, zero_x=1, spread=1e6),
    Layer((3,), 8, 5, zero_x=-128),
    Layer((2, 2), 17, 3, zero_x=33, per_channel=False),
    Layer((2, 1, 4), 64, 10, zero_y=-128),
    Layer((1,), 64, 12, spread=30, dead=True, zero_y=4),
)
MACHINES = ("qemu-m0", "qemu-m4", "qemu-m55")
TFLITE = tuple(replace(layer, numerics=Numerics.TFLITE) for layer in LAYERS[1::2] + LAYERS[-1:])


WIDE = with_type(LAYERS[::2], x=DType.I16) + with_type(LAYERS[1::3], x=DType.I16, numerics=Numerics.TFLITE)
WIDE_WEIGHTS = tuple(replace(layer, w=DType.I16) for layer in LAYERS[::3])
FLOAT = with_type(LAYERS, x=DType.F32, w=DType.F32)
KINDS = {"int8": LAYERS, "tflite": TFLITE, "int16": WIDE, "int16 weights": WIDE_WEIGHTS, "float32": FLOAT}


def cases(*kinds: str) -> list[Case]:
    return [layer.case(i) for kind in kinds for i, layer in enumerate(KINDS[kind])]


@pytest.mark.parametrize("kind", KINDS)
def test_on_host(kind: str) -> None:
    check(cases(kind), boards=())


@pytest.mark.parametrize("board", BOARDS)
def test_on_board(board: str) -> None:
    check(cases(*KINDS), boards=(board,), host=False)


def ties(numerics: Numerics, exponents: tuple[int, ...], zero: int) -> Case:
    """Scales that are powers of two and small sums: many results lie exactly between two integers."""
    rng = np.random.default_rng(len(exponents))
    outputs = 8
    scales = tuple(2.0 ** -exponents[i % len(exponents)] for i in range(outputs))
    quant = QuantParams(scales, 0, DType.I8, 0)
    w = constant("w", rng.integers(-3, 4, (outputs, 4)).astype(np.int8), quant)
    b = constant("b", rng.integers(-40, 41, outputs).astype(np.int32))
    x = activation("x", (3, 4), scale=1.0)
    made = case(
        f"ties {exponents}", Dense(), [x, w, b], activation("y", (3, outputs), DType.I8, zero, 1.0), rng, numerics
    )
    small = tuple({"x": rng.integers(-9, 10, (3, 4)).astype(np.int8)} for _ in range(8))
    return replace(made, samples=small)


@pytest.mark.parametrize("numerics", Numerics)
def test_ties(numerics: Numerics) -> None:
    check(
        [ties(numerics, e, z) for e, z in (((1,), 0), ((2,), -3), ((3,), 5), ((4, 5, 2), 0), ((3, 4, 20), -7))],
        MACHINES,
    )
