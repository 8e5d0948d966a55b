"""Every matrix product kernel against the reference, on the host and on all emulated boards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from graphs import case, output, stored
from one_node import activation
from rig import BOARDS, Case, Tolerance, check

from mcucompile.ir import NO_CLIP, Array, Clip, DType, Numerics, Shape
from mcucompile.ops.matmul import MatMul


@dataclass(frozen=True)
class Product:
    """One product to test; `constant` is the index of an operand that is one, or None."""

    left: Shape
    right: Shape
    zeros: tuple[int, int, int] = (0, 0, 0)
    constant: int | None = None
    clip: Clip = NO_CLIP
    a: DType = DType.I8
    b: DType = DType.I8
    numerics: Numerics = Numerics.ONNX

    def case(self, seed: int) -> Case:
        rng = np.random.default_rng(seed)
        operands = [
            activation("left", self.left, self.a, self.zeros[0], 0.05),
            activation("right", self.right, self.b, self.zeros[1], 0.02),
        ]
        if self.constant is not None:
            t = operands[self.constant]
            operands[self.constant] = replace(t, const=stored(rng, t.dtype, t.shape))
        op = MatMul(self.clip)
        y = output(op, operands, self.a, self.zeros[2], self.left[-1])
        made = case(str(self), op, operands, y, rng, self.numerics, samples=2)
        return replace(made, tolerance=product_bound(made)) if self.a is DType.F32 else made


def product_bound(made: Case) -> Tolerance:
    """Any order of summation of K products stays within K * 2**-23 * sum |a * b| of the reference's."""
    (node,) = made.graph.nodes

    def bound(sample: dict[str, Array]) -> dict[str, Array]:
        values = [np.abs(sample[t.name] if t.const is None else t.const).astype(np.float64) for t in node.inputs]
        return {"y": np.matmul(*values) * node.inputs[0].shape[-1] * 2.0**-23}

    return bound


PRODUCTS = (
    Product((1, 1), (1, 1)),
    Product((3, 5), (5, 7), (-128, 127, 5)),
    Product((2, 3, 4, 8), (2, 3, 8, 2), (127, -128, -128), clip=Clip(0.0)),
    Product((2, 1, 3, 5), (1, 3, 5, 4), (3, -5, 127)),
    Product((3, 4, 17), (1, 17, 3), (0, 0, 0)),
    Product((1, 2, 2), (5, 2, 8), (-7, 0, 0)),
    Product((2, 3, 4), (1, 4, 3), (-7, 9, 0), constant=1),
    Product((1, 5, 4), (2, 4, 5), (11, 0, 0), constant=0),
    Product((1, 33), (33, 16), (0, 77, 0)),
)
TFLITE = tuple(replace(p, numerics=Numerics.TFLITE) for p in PRODUCTS)


def with_type(a: DType, b: DType, **changes: object) -> tuple[Product, ...]:
    zeros = (0, 0, 0)
    return tuple(replace(p, a=a, b=b, zeros=zeros, **changes) for p in PRODUCTS)  # type: ignore[arg-type]


KINDS = {
    "int8": PRODUCTS,
    "tflite": TFLITE,
    "int16": with_type(DType.I16, DType.I16) + with_type(DType.I16, DType.I16, numerics=Numerics.TFLITE),
    "mixed": with_type(DType.I16, DType.I8) + with_type(DType.I8, DType.I16),
    "float32": with_type(DType.F32, DType.F32),
}


def cases(*kinds: str) -> list[Case]:
    return [p.case(i) for kind in kinds for i, p in enumerate(KINDS[kind])]


@pytest.mark.parametrize("kind", KINDS)
def test_on_host(kind: str) -> None:
    check(cases(kind), boards=())


@pytest.mark.parametrize("board", BOARDS)
def test_on_board(board: str) -> None:
    check(cases(*KINDS), boards=(board,), host=False)
