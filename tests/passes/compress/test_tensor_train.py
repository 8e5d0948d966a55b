"""Tensor trains of fully connected layers, against TensorLy's own reconstruction run as one layer."""

from __future__ import annotations

import numpy as np
import pytest
from decompositions import applied, assert_same, dense_network, macs, weight_of, with_weight
from tensorly import tt_matrix_to_tensor
from tensorly.decomposition import tensor_train_matrix

from mcucompile.errors import CompileError
from mcucompile.ir import NO_CLIP, Array, Shape
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.transpose import Transpose
from mcucompile.passes.compress.tensor_train import TensorTrain, Train, splits


def reconstruction(weight: Array, outputs: Shape, inputs: Shape, ranks: tuple[int, ...]) -> Array:
    """TensorLy's, of weights whose output number counts the factors from the last to the first."""
    d = len(outputs)
    tensor = weight.reshape(*outputs[::-1], *inputs).transpose(*range(d)[::-1], *range(d, 2 * d))
    train = tensor_train_matrix(tensor, [1, *ranks, 1])
    full = np.asarray(tt_matrix_to_tensor(train)).reshape(*outputs, *inputs)
    return full.transpose(*range(d)[::-1], *range(d, 2 * d)).reshape(weight.shape)


@pytest.mark.parametrize(
    ("outputs", "inputs", "ranks"),
    [((4, 6), (5, 8), (3,)), ((6, 4), (2, 20), (7,)), ((2, 3, 4), (5, 2, 4), (3, 4)), ((1, 24), (40, 1), (2,)),
     ((2, 2, 3, 2), (2, 5, 2, 2), (2, 3, 2))],
)  # fmt: skip
def test_the_chain_is_the_reconstruction(outputs: Shape, inputs: Shape, ranks: tuple[int, ...]) -> None:
    from mcucompile.passes.compress.decomposition import put

    graph, samples = dense_network(40, 24)
    want = with_weight(graph, reconstruction(weight_of(graph), outputs, inputs, ranks))
    (node,) = graph.nodes
    family = Train(node, outputs, inputs)
    put(graph, node, family.level(ranks, 0.0).parts(node.inputs[2].const, node.op.clip))  # type: ignore[arg-type,attr-defined]
    assert_same(want, graph, samples)
    assert not any(isinstance(n.op, Transpose) for n in graph.nodes)


def test_three_cores_and_no_transposition() -> None:
    graph, _ = dense_network(48, 24)
    got, (change,) = applied(TensorTrain(rank=4, cores=3), graph)
    convs = [n for n in got.nodes if isinstance(n.op, Conv2d)]
    assert len(convs) == 3 and not any(isinstance(n.op, Transpose) for n in got.nodes)
    assert change.after == sum(n.inputs[1].size for n in convs) + 24  # with the bias, which is a constant of its own
    assert all(n.op.clip == NO_CLIP for n in convs)


def test_weights_of_low_rank_are_found_and_kept() -> None:
    """A product of two small matrices, on the digits of outputs and inputs that go together, has rank 1."""
    rng = np.random.default_rng(3)
    graph, samples = dense_network(48, 24)
    weight = np.einsum("ak,bl->bakl", rng.normal(size=(6, 6)), rng.normal(size=(4, 8))).reshape(24, 48)
    low = with_weight(graph, weight)
    got, (change,) = applied(TensorTrain(energy=0.9999), low)
    assert change.score > 0.9999 and macs(got) < macs(low)
    assert_same(low, got, samples)


def test_ratio_bounds_the_macs() -> None:
    graph, _ = dense_network(64, 64)
    got, _ = applied(TensorTrain(ratio=0.5), graph)
    assert len(got.nodes) > 1 and macs(got) <= 0.5 * macs(graph)


def test_samples_make_the_outputs_better() -> None:
    graph, samples = dense_network(48, 24)
    _, (aware,) = applied(TensorTrain(rank=8), graph, samples)
    _, (blind,) = applied(TensorTrain(rank=8, data_aware=False), graph, samples)
    assert aware.effect is not None and blind.effect is not None
    assert aware.effect < blind.effect


@pytest.mark.parametrize(
    ("size", "count", "first"), [(24, 2, {(4, 6), (6, 4)}), (64, 3, {(4, 4, 4)}), (7, 2, {(1, 7), (7, 1)})]
)
def test_splits_are_as_even_as_they_can_be(size: int, count: int, first: set[Shape]) -> None:
    found = splits(size, count)
    assert found[0] in first
    assert all(np.prod(f) == size and len(f) == count for f in found)


@pytest.mark.parametrize("cores", [1, 5])
def test_options_out_of_range(cores: int) -> None:
    with pytest.raises(CompileError) as caught:
        TensorTrain(cores=cores)
    assert caught.value.code == "E0701"
