"""Kernels of BinaryConv2d, and the order in which they add up bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from graphs import channel_scales
from hypothesis import given
from hypothesis import strategies as st
from rig import BOARDS, Case, check

from mcucompile.ir import NO_CLIP, Array, Clip, DType, Graph, Node, QuantParams, Tensor, constant, requant, verify
from mcucompile.ir.quant import Numerics
from mcucompile.kernels.binary_conv2d.adders import MOST_WORDS, Count, blocks, count
from mcucompile.ops.binary_conv2d import BinaryConv2d
from mcucompile.ops.bits import pack, packed_shape
from mcucompile.ops.window import Window


@dataclass(frozen=True)
class Binary:
    """One layer. `size` is (batch, height, width, channels in, channels out), `result` the type of the output."""

    size: tuple[int, int, int, int, int]
    kernel: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (1, 1, 1, 1)
    dilations: tuple[int, int] = (1, 1)
    fill: int = 0
    result: str = "bits"
    clip: Clip = NO_CLIP
    magnitude: int = 127
    dead: bool = False
    spread: float = 3.0
    numerics: Numerics = Numerics.ONNX
    zero: int = 5
    scale: tuple[float, int] = field(default=(1.0, 0))

    def case(self, seed: int) -> Case:
        n, h, wide, c, o = self.size
        rng = np.random.default_rng(seed)
        signs = rng.choice([-1, 1], (o, *self.kernel, c)).astype(np.int8)
        x = Tensor("x", (n, h, wide, -(-c // 32)), DType.U32)
        inputs, op, quant, dtype = self.form(signs, x, rng)
        (shape,) = op.infer(*(t.shape for t in inputs))
        y = Tensor("y", shape, dtype, quant)
        node = Node(op, inputs, [y], ("binary",))
        graph = Graph("case", [x], [y], [node], self.numerics)
        verify(graph)
        return Case(str(self), graph, tuple({"x": bits} for bits in self.samples(rng)))

    def samples(self, rng: np.random.Generator) -> list[Array]:
        n, h, wide, c, _ = self.size
        shape = (n, h, wide, c)
        return [pack(rng.random(shape) < 0.5), pack(np.zeros(shape, np.bool_)), pack(np.ones(shape, np.bool_))]

    def form(self, signs: Array, x: Tensor, rng: np.random.Generator) -> tuple[list[Tensor], BinaryConv2d, Any, DType]:
        """The inputs, the operator, and the output's quantization and type."""
        window = Window(self.kernel, self.strides, self.pads, self.dilations)
        o, places = len(signs), signs[0].size
        if self.result in ("bits", "int8 signs", "float signs"):
            w = constant("w", signs, QuantParams.per_tensor(1.0))
            limits = rng.integers(-places // 4 - 2, places // 4 + 3, o)
            limits[:2] = (-places, places + 1)[: min(o, 2)]
            op = BinaryConv2d(window, self.fill, tuple(map(int, limits)), self.result == "bits")
            dtype = {"bits": DType.U32, "int8 signs": DType.I8, "float signs": DType.F32}[self.result]
            return [x, w], op, QuantParams.per_tensor(*self.scale) if dtype is DType.I8 else None, dtype
        if self.result == "float":
            magnitudes = rng.uniform(0.01, 1.0, (o, 1, 1, 1)).astype(np.float32)
            w, b = constant("w", signs * magnitudes), constant("b", rng.normal(size=o).astype(np.float32))
            return [x, w, b], BinaryConv2d(window, self.fill, clip=self.clip), None, DType.F32
        scales, dtype = channel_scales(rng, o, self.spread), DType(self.result)
        stored = (signs * self.magnitude).astype(np.int8)
        stored[: o // 2] = np.sign(stored[: o // 2]) * (self.magnitude // 2 if self.dead else self.magnitude)
        if self.dead:
            stored[0] = 0
        w = constant("w", stored, QuantParams(scales, 0, DType.I8, 0))
        b = constant("b", rng.integers(-20000, 20001, o).astype(np.int32))
        step = float(np.float32(self.magnitude * np.sqrt(places) * max(scales) * 2.5 / dtype.high))
        factors = tuple(s / step for s in scales)
        op = BinaryConv2d(window, self.fill, clip=self.clip, requant=requant(factors, self.numerics))
        return [x, w, b], op, QuantParams.per_tensor(step, self.zero, dtype), dtype


POINT: dict[str, Any] = {"kernel": (1, 1), "pads": (0, 0, 0, 0)}
LAYERS = (
    Binary((1, 4, 5, 64, 64)),
    Binary((1, 3, 5, 1, 1)),
    Binary((2, 4, 3, 3, 33), fill=1),
    Binary((1, 5, 4, 33, 40), fill=-1),
    Binary((1, 5, 6, 40, 31), strides=(2, 2), pads=(0, 0, 1, 1)),
    Binary((1, 6, 7, 32, 32), (5, 5), pads=(2, 2, 2, 2)),
    Binary((1, 7, 8, 5, 7), (2, 3), (1, 2), (1, 2, 0, 1), (2, 2)),
    Binary((1, 6, 6, 160, 9), (3, 3), dilations=(1, 2), pads=(1, 2, 1, 2), fill=1),
    Binary((1, 5, 5, 96, 8), pads=(0, 0, 0, 0)),
    Binary((1, 2, 2, 256, 5)),
    Binary((1, 1, 6, 37, 6), (1, 4), pads=(0, 3, 0, 3)),
    Binary((2, 3, 3, 64, 65), **POINT),
    Binary((1, 2, 3, 20, 3), **POINT),
    Binary((1, 1, 1, 1024, 10), **POINT),
    Binary((1, 1, 1, 1000, 40), **POINT),
    Binary((1, 1, 1, 2048, 3), **POINT),
    Binary((1, 5, 5, 64, 4), (1, 1), (2, 3), (1, 0, 0, 2)),
    *(
        Binary(size, result=result, fill=fill, **more)
        for result in ("int8 signs", "float signs", "int8", "int16", "float")
        for size, fill, more in (
            ((1, 4, 5, 40, 9), 0, {}),
            ((1, 4, 5, 33, 6), 1, {}),
            ((1, 1, 2, 300, 10), 0, POINT),
        )
    ),
    Binary((1, 3, 3, 3, 4), result="int8 signs", scale=(0.5, 3)),
    Binary((1, 4, 4, 32, 8), result="int8", dead=True, spread=30),
    Binary((1, 4, 4, 32, 8), result="int8", dead=True, fill=-1, magnitude=1, clip=Clip(0.0)),
    Binary((1, 4, 4, 32, 8), result="int8", numerics=Numerics.TFLITE, zero=-128),
    Binary((1, 4, 4, 32, 8), result="float", clip=Clip(0.0, 6.0)),
)


def cases() -> list[Case]:
    return [layer.case(seed) for seed, layer in enumerate(LAYERS)]


def test_on_host() -> None:
    check(cases(), boards=())


@pytest.mark.parametrize("board", BOARDS)
def test_on_board(board: str) -> None:
    check(cases(), (board,), host=False)


@pytest.mark.parametrize("opt", ["-O0", "-Os", "-O3"])
def test_at_any_level(opt: str) -> None:
    check(cases()[::4], ("qemu-m4",), opt, host=False)


def counted(c: Count, differences: list[int]) -> int:
    """What the adders and fields make of words of 8 bits."""
    values = {f"d{i}": differences[i] for i in c.alone}
    for adder in c.adders:
        parts = differences[adder.index :][:3] if adder.is_first else [values[name] for name in adder.inputs]
        p, q, r = parts
        values[adder.total], values[adder.carry] = p ^ q ^ r, (p & q) | (p & r) | (q & r)
    return sum(values[word].bit_count() << (shift + f.shift) for f in c.fields for word, shift in f.terms)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=MOST_WORDS))
def test_adders_count_every_bit(differences: list[int]) -> None:
    assert counted(count(len(differences)), differences) == sum(d.bit_count() for d in differences)


@pytest.mark.parametrize("words", range(1, MOST_WORDS + 1))
def test_fields_hold_their_counts(words: int) -> None:
    """A nibble counts up to 4 bits of each term, a byte up to 8 of each word."""
    for f in count(words).fields:
        assert sum(4 << shift for _, shift in f.terms) <= 15
    assert 8 * words <= 255


@pytest.mark.parametrize("words", [*range(1, 40), 72, 144, 1000])
def test_blocks_have_all_words(words: int) -> None:
    made = blocks(words)
    assert made.words == words
    assert made.block.words % 3 == 0 or made.rest is None
    assert made.block.words + (made.rest.words if made.rest else 0) <= 2 * MOST_WORDS


def test_shapes_count_words() -> None:
    assert [packed_shape((2, c)) for c in (1, 32, 33, 64)] == [(2, 1), (2, 1), (2, 2), (2, 2)]
