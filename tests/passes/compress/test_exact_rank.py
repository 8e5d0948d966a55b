"""Layers that are of lower rank than they could be lose nothing; the others stay."""

from __future__ import annotations

import numpy as np
import pytest
from decompositions import applied, assert_same, conv_network, dense_network, macs, weight_of, with_weight

from mcucompile.passes.compress.exact_rank import ExactRank


@pytest.mark.parametrize("rank", [1, 5])
def test_dense(rank: int) -> None:
    graph, samples = dense_network(40, 24)
    rng = np.random.default_rng(0)
    low = with_weight(graph, rng.normal(size=(24, rank)) @ rng.normal(size=(rank, 40)))
    got, (change,) = applied(ExactRank(), low, samples)
    assert got.nodes[0].inputs[1].shape == (rank, 40)
    assert_same(low, got, samples)
    assert change.effect is not None and change.effect < 1e-9


def test_the_cheapest_form_of_a_convolution() -> None:
    """Filters that differ only in their columns have a horizontal part of rank 2 and full rank otherwise."""
    graph, samples = conv_network(6, 10)
    rng = np.random.default_rng(0)
    weight = np.einsum("owr,rhc->ohwc", rng.normal(size=(10, 3, 2)), rng.normal(size=(2, 3, 6)))
    low = with_weight(graph, weight)
    got, _ = applied(ExactRank(), low)
    assert [n.inputs[1].shape for n in got.nodes] == [(2, 3, 1, 6), (10, 1, 3, 2)]
    assert_same(low, got, samples)


def test_full_rank_stays() -> None:
    graph, _ = dense_network(40, 24)
    assert applied(ExactRank(), graph)[1] == ()


def test_nearly_full_rank_stays_where_two_layers_cost_more() -> None:
    graph, _ = dense_network(40, 24)
    weight = weight_of(graph)
    weight[0] = weight[1] + weight[2]
    got, changes = applied(ExactRank(), with_weight(graph, weight))
    assert changes == () and macs(got) == macs(graph)


def test_a_small_component_is_no_rounding() -> None:
    graph, _ = dense_network(40, 24)
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(24, 2)) @ rng.normal(size=(2, 40)) + 1e-3 * rng.normal(size=(24, 1)) @ rng.normal(
        size=(1, 40)
    )
    got, _ = applied(ExactRank(), with_weight(graph, weight))
    assert got.nodes[0].inputs[1].shape == (3, 40)


def test_outputs_and_inputs_that_are_dead_are_no_lower_rank() -> None:
    """8 live outputs of 12 live inputs, of full rank: 24 x 40 in two layers would be 8 * (24 + 40) < 24 * 40."""
    graph, _ = dense_network(40, 24)
    weight = weight_of(graph)
    weight[8:], weight[:, 12:] = 0, 0
    assert applied(ExactRank(), with_weight(graph, weight))[1] == ()
