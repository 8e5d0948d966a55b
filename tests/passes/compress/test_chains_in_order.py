"""Chains that make up for those before them."""

from __future__ import annotations

import numpy as np
import pytest
from decompositions import SAME, WINDOWS, applied, assert_same, conv_network, dense_network, with_weight
from float_graphs import RELU, FloatGraph

from mcucompile.ir import Array, Graph
from mcucompile.ops.window import Window
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress.cp import Cp
from mcucompile.passes.compress.decomposition import Decomposition
from mcucompile.passes.compress.decomposition.in_order import DAMPING, OfWindow
from mcucompile.passes.compress.hessian import input_moments
from mcucompile.passes.compress.low_rank import LowRank
from mcucompile.passes.compress.tensor_train import TensorTrain
from mcucompile.passes.compress.tucker import Tucker

FORMS = [LowRank(rank=3, form=form) for form in ("output", "input", "spatial")]  # type: ignore[arg-type]
CHAINS = [*FORMS, Tucker(rank=5, rank_in=2), Cp(rank=4), Cp(rank=4, taps="joint")]


def check_composed(compression: Decomposition, graph: Graph, samples: dict[str, Array]) -> None:
    """The one layer that a family says its chain is, against the chain."""
    (family,) = compression.families(graph.nodes[0], None)[:1]
    level = family.level_of(family.asked(compression.rank or 1))
    got, _ = applied(compression, graph)
    assert_same(with_weight(graph, family.composed(level.factors)), got, samples)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("compression", CHAINS, ids=lambda c: f"{c.name} {getattr(c, 'form', '')}")
def test_what_a_chain_of_convolutions_multiplies_out_to(compression: Decomposition, window: Window) -> None:
    check_composed(compression, *conv_network(6, 8, window))


@pytest.mark.parametrize("cores", [2, 3, 4])
def test_what_a_tensor_train_multiplies_out_to(cores: int) -> None:
    graph, samples = dense_network(48, 24)
    compression = TensorTrain(rank=3, cores=cores)
    families = compression.families(graph.nodes[0], None)
    chosen = min((f.level_of(f.asked(3)) for f in families), key=lambda level: (level.macs, level.weights, level.lost))
    got, _ = applied(compression, graph)
    assert_same(with_weight(graph, chosen.family.composed(chosen.factors)), got, samples)


def network(seed: int) -> tuple[Graph, dict[str, Array]]:
    """Two convolutions and a fully connected layer; and 60 samples whose neighbouring pixels are alike."""
    net = FloatGraph((1, 8, 8, 4), seed)
    y = net.conv("y", net.x, 12, RELU)
    z = net.conv("z", y, 12, RELU, SAME)
    graph = net.graph(net.dense("scores", z, 6))
    noise = net.rng.normal(size=(60, 9, 9, 4))
    smooth = sum(noise[:, i : i + 8, j : j + 8] for i in range(2) for j in range(2))
    return graph, {"x": np.asarray(smooth, np.float32)[:, None]}


@pytest.mark.parametrize("compression", [LowRank, Tucker, Cp])
def test_later_chains_make_up_for_earlier_ones(compression: type[Decomposition]) -> None:
    graph, samples = network(0)
    with_it, _ = applied(compression(ratio=0.5), graph, samples)
    without, _ = applied(compression(ratio=0.5, compensate=False), graph, samples)
    assert [n.inputs[1].shape for n in with_it.nodes if len(n.inputs) == 3] == [
        n.inputs[1].shape for n in without.nodes if len(n.inputs) == 3
    ]
    assert noise(graph, with_it, samples) < 0.97 * noise(graph, without, samples)


def noise(graph: Graph, changed: Graph, samples: dict[str, Array]) -> float:
    want, got = (runner(g, samples).outputs(samples)[g.outputs[0]] for g in (graph, changed))
    return float(np.square(want - got).sum() / np.square(want - want.mean(axis=0)).sum())


def test_the_first_chain_is_that_of_the_layer_by_itself() -> None:
    """Up to another estimate of the covariance: there is nothing yet to make up for."""
    graph, samples = dense_network(20, 24)
    _, (alone,) = applied(LowRank(rank=5, compensate=False), graph, samples)
    _, (in_order,) = applied(LowRank(rank=5), graph, samples)
    assert in_order.effect == pytest.approx(alone.effect, rel=0.1)


def test_covariances_of_parts_of_a_window() -> None:
    """Means of the blocks that belong to each place where the part can be."""
    graph, samples = conv_network(2, 3, Window((3, 2)))
    (node,) = graph.nodes
    known = OfWindow(input_moments(graph, [node], samples)[node])
    (whole,) = known.moments.hessian(DAMPING)
    assert np.array_equal(known.moment(node, Window((3, 2))), whole)
    column = [np.ix_(at, at) for j in range(2) for at in [[(i * 2 + j) * 2 + c for i in range(3) for c in range(2)]]]
    assert np.allclose(known.moment(node, Window((3, 1))), np.mean([whole[at] for at in column], axis=0))
    pixels = [np.ix_(at, at) for p in range(6) for at in [[p * 2, p * 2 + 1]]]
    assert np.allclose(known.moment(node, Window((1, 1))), np.mean([whole[at] for at in pixels], axis=0))
