"""Every criterion on a network for which its scores can be computed by hand."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from float_graphs import FloatGraph
from networks_by_hand import UV, U, V, columns, dense_chain, linear, only_family, outputs

from mcucompile.errors import CompileError
from mcucompile.ir import NO_CLIP, Array, Clip, Graph, constant
from mcucompile.passes.compress.pruning.criteria import ALL, Ranking
from mcucompile.passes.compress.pruning.dependencies import families
from mcucompile.passes.compress.pruning.evidence import Evidence, interaction
from mcucompile.passes.compress.structured import Rule

RELU = Clip(0.0)
DATA_FREE = ("l1", "l2", "geometric_median", "duplicates")


def ranked(name: str, graph: Graph, samples: dict[str, Array] | None = None) -> Ranking:
    return ALL[name].rank(only_family(graph), Evidence(graph, samples))


def ratios(found: Ranking) -> Array:
    """Scores relative to the first one."""
    return found.scores / found.scores[0]


def test_recipes_know_every_criterion() -> None:
    assert set(get_args(Rule)) == set(ALL)


def test_l1_and_l2() -> None:
    graph = linear([[3, 4], [0, 6], [1, 1]], [[1, 1, 1]])
    assert list(ranked("l1", graph).order) == [2, 1, 0]
    assert list(ranked("l2", graph).order) == [2, 0, 1]
    np.testing.assert_allclose(ratios(ranked("l1", graph)), [1, 6 / 7, 2 / 7])
    np.testing.assert_allclose(ratios(ranked("l2", graph)), [1, 6 / 5, 2**0.5 / 5])


def test_geometric_median() -> None:
    """At 0, 1 and 10: the middle one is nearest to the others, though not the smallest."""
    found = ranked("geometric_median", linear([[0], [1], [10]], [[1, 1, 1]]))
    np.testing.assert_allclose(ratios(found), [1, 10 / 11, 19 / 11])
    assert list(found.order) == [1, 0, 2]


def test_average_percentage_of_zeros() -> None:
    """Inputs are positive three times in four."""
    graph = dense_chain(([[1], [-1], [0]], [0, 0, 1], RELU), ([[1, 1, 1]], None, NO_CLIP))
    found = ranked("apoz", graph, columns([1, 2, 3, -1]))
    np.testing.assert_allclose(ratios(found), [1, 0.25 / 0.75, 1 / 0.75])


def test_batchnorm_scale_is_the_deviation() -> None:
    """Before the Relu; the bias does not count, and inputs that cancel make a channel constant."""
    graph = dense_chain(([[1, -1], [1, 1], [3, 0]], [-50, 7, 0], RELU), ([[1, 1, 1]], None, NO_CLIP))
    found = ranked("batchnorm", graph, columns(U, U))
    assert list(found.order) == [0, 1, 2]
    np.testing.assert_allclose(found.scores / found.scores[2], [0, 2 / 3, 1], atol=1e-6)


def test_taylor_is_the_slope_and_ablation_the_step() -> None:
    """y = relu(3a - 2b) with a = b = s > 0: without a it is 0 instead of s, without b it is 3s."""
    graph = dense_chain(([[1], [1]], None, NO_CLIP), ([[3, -2]], None, RELU))
    samples = columns([1, 2, 3, 4])
    slope, step = ranked("taylor", graph, samples), ranked("ablation", graph, samples)
    np.testing.assert_allclose(ratios(slope), [1, 4 / 9], rtol=1e-4)
    np.testing.assert_allclose(ratios(step), [1, 4], rtol=1e-4)
    variance = np.square([1, 2, 3, 4]).sum() / np.square([-1.5, -0.5, 0.5, 1.5]).sum()
    np.testing.assert_allclose(step.scores[0], variance, rtol=1e-4)


def test_taylor_sees_through_several_layers() -> None:
    """A unit that no later layer lets pass does not matter."""
    graph = linear([[1], [5]], [[1, 0], [0, 1]], [[1, 0]])
    found = ALL["taylor"].rank(families(graph)[0], Evidence(graph, columns([1, 2, 3, 4])))
    assert list(found.order) == [1, 0] and found.scores[1] == 0


def test_thinet_adds_up_what_goes_together() -> None:
    """10 u - 10 u' + v with u = u': v is the least alone, and without both u and u' nothing is lost that was there."""
    found = ranked("thinet", linear([[1, 0], [1, 0], [0, 1]], [[10, -10, 1]]), columns(U, V))
    assert list(found.order) == [2, 0, 1]
    np.testing.assert_allclose(found.scores, [101, 1, 1], rtol=1e-6)


def test_lasso_of_independent_units() -> None:
    """A factor is 1 - penalty / energy; energies are 1, 16 and 4 of 21, and penalties grow by a fifth."""
    found = ranked("lasso", linear(np.eye(3), [[1, 4, 2]]), columns(U, V, UV))
    assert list(found.order) == [0, 2, 1]
    assert np.all((found.scores * 21 / [1, 16, 4] > 0.99) & (found.scores * 21 / [1, 16, 4] < 1.25))


def test_lasso_lets_one_stand_for_two() -> None:
    """Both say the same, each with an energy of 4. One goes at a penalty of 4; the other then stands for both and stays
    until 8, longer than a third one of energy 6.
    """
    found = ranked("lasso", linear([[1, 0], [1, 0], [0, 1]], [[2, 2, 6**0.5]]), columns(U, V))
    assert found.order[0] in (0, 1) and found.order[1] == 2
    np.testing.assert_allclose(sorted(found.scores * 22), [4, 6, 8], rtol=0.25)


def test_duplicates() -> None:
    """|w_i - w_j|^2 = 4 between 0 and 1, whose outgoing weight is the smaller; 2 is far away."""
    graph = dense_chain(([[1, 1], [1, 3], [40, 0]], [5, 5, 5], NO_CLIP), ([[3, 1, 1]], None, NO_CLIP))
    found = ranked("duplicates", graph)
    assert list(found.order[:1]) == [1] and found.heirs[1] == 0
    np.testing.assert_allclose(found.scores[1], 4)


def test_biases_tell_duplicates_apart() -> None:
    graph = dense_chain(([[1], [1], [2]], [0, 9, 0], NO_CLIP), ([[1, 1, 1]], None, NO_CLIP))
    found = ranked("duplicates", graph)
    assert found.heirs[int(found.order[0])] in (0, 2) and found.order[0] in (0, 2)


@pytest.mark.parametrize("name", ALL)
def test_what_needs_samples_says_so(name: str) -> None:
    graph = linear([[1, 2], [3, 4]], [[1, 1]])
    if name in DATA_FREE:
        assert sorted(ranked(name, graph).order) == [0, 1]
        return
    with pytest.raises(CompileError) as error:
        ranked(name, graph)
    assert error.value.code == "E0201"


@pytest.mark.parametrize("name", ALL)
def test_dead_networks_can_be_ranked(name: str) -> None:
    """All weights are zero: every unit is as good as any other, and nothing is divided by zero."""
    graph = linear(np.zeros((5, 2)), np.zeros((2, 5)))
    with np.errstate(all="raise"):
        found = ranked(name, graph, columns(U, V))
    assert sorted(found.order) == list(range(5)) and not np.isnan(found.scores).any()


def test_interaction_of_channels_that_a_window_reads() -> None:
    """Against the network run without each channel: the error of the sums relative to their variance, both centred."""
    net = FloatGraph((1, 5, 5, 3))
    graph, samples = net.graph(net.conv("out", net.conv("mid", net.x, 4, RELU), 5)), net.samples(12)
    family, evidence = only_family(graph), Evidence(graph, samples)
    _, node = graph.nodes
    got = interaction(family, node, evidence.moments[node])
    kept = node.inputs[1]
    assert kept.const is not None
    whole = outputs(graph, samples).reshape(-1, 5).astype(np.float64)
    for unit in range(4):
        values = kept.const.copy()
        values[..., unit] = 0
        node.inputs[1] = constant("without", values)
        lost = whole - outputs(graph, samples).reshape(-1, 5)
        np.testing.assert_allclose(got[unit, unit], lost.var(axis=0).sum() / whole.var(axis=0).sum(), rtol=1e-3)
