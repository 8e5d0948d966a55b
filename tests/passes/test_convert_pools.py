"""A scaled mean of stored values becomes a layer; other pools stay."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sketch import Q, Sketch, names

from mcucompile.ir import Clip, Graph, QuantParams, Tensor, constant, verify
from mcucompile.ops.add import Add
from mcucompile.ops.average_pool import AveragePool
from mcucompile.ops.mul import Mul
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.window import Window
from mcucompile.passes.absorb_qdq import AbsorbQdq
from mcucompile.passes.convert_pools import ConvertPools
from mcucompile.passes.fix_multipliers import FixMultipliers
from mcucompile.passes.fold_batchnorm import FoldBatchnorm
from mcucompile.reference import evaluate

FEW = QuantParams((0.5,))
WHOLE = Window((3, 3), (2, 2))


def pooled(op: AveragePool, stored: bool = True) -> tuple[Sketch, Tensor]:
    s = Sketch()
    x = s.dequantize(s.input(1, 7, 7, 4, quant=FEW)) if stored else s.input(1, 7, 7, 4)
    return s, s.add(op, x)


def number(value: float) -> Tensor:
    return constant("factor", np.full((1, 1, 1, 1), value, np.float32))


def test_sum_over_a_window_is_exact() -> None:
    """Mean times 9, less a constant, stored: sums of whole steps, dropped to quarters of them."""
    s, y = pooled(AveragePool(WHOLE))
    y = s.add(Add(), s.add(Mul(), y, number(9 / 4)), constant("shift", np.full((1, 1, 1, 1), -7 / 32, np.float32)))
    graph = s.done(s.quantize(y, FEW))
    before = copy.deepcopy(graph)
    assert ConvertPools().run(graph) == 1
    FoldBatchnorm().run(graph)
    AbsorbQdq().run(graph)
    verify(graph)
    FixMultipliers().run(graph)
    assert names(graph) == ["depthwise_conv2d"]
    for seed in range(20):
        x = {"x": np.random.default_rng(seed).integers(-9, 9, (1, 7, 7, 4)).astype(np.int8)}
        np.testing.assert_array_equal(*(next(iter(evaluate(g, x).values())) for g in (graph, before)))


def unchanged(graph: Graph) -> bool:
    return ConvertPools().run(graph) == 0


class TestMustNotFire:
    @pytest.mark.parametrize(
        "op",
        [
            AveragePool(Window((3, 3), pads=(1, 1, 1, 1))),
            AveragePool(Window((3, 3)), uncounted=(1, 0)),
            AveragePool(WHOLE, clip=Clip(0.0)),
        ],
        ids=["padding", "partial windows", "limits"],
    )
    def test_other_means(self, op: AveragePool) -> None:
        s, y = pooled(op)
        assert unchanged(s.done(s.add(Mul(), y, number(9))))

    def test_real_input(self) -> None:
        s, y = pooled(AveragePool(WHOLE), stored=False)
        assert unchanged(s.done(s.add(Mul(), y, number(9))))

    def test_stored_at_once(self) -> None:
        """Such a pool has an integer form of its own."""
        s, y = pooled(AveragePool(WHOLE))
        assert unchanged(s.done(s.quantize(y, Q)))

    def test_no_scaling_behind(self) -> None:
        s, y = pooled(AveragePool(WHOLE))
        assert unchanged(s.done(s.add(Sigmoid(), y)))

    def test_read_twice(self) -> None:
        s, y = pooled(AveragePool(WHOLE))
        assert unchanged(s.done(s.add(Mul(), y, number(9)), y))
