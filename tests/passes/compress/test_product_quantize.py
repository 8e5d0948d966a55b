"""Few vectors for a layer's weights."""

from __future__ import annotations

import numpy as np
import pytest
from float_graphs import small_network
from integer_networks import applied, conv_network, dense_network, noise, weights

from mcucompile.errors import CompileError
from mcucompile.ir import Array
from mcucompile.passes.compress.cluster import Cluster
from mcucompile.passes.compress.product_quantize import ProductQuantize
from mcucompile.passes.compress.sharing.integer_layer import IntegerLayer
from mcucompile.passes.compress.sharing.vectors import kmeans, nearest, swept


def vectors(weight: Array, size: int = 4) -> int:
    """How many different vectors of neighbouring inputs there are."""
    return len(np.unique(weight.reshape(-1, size), axis=0))


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("samples", [True, False])
def test_a_layer_has_so_many_vectors(samples: bool, size: int) -> None:
    graph, data = dense_network()
    got, changes = applied(ProductQuantize(16, size), graph, data if samples else None)  # type: ignore[arg-type]
    assert all(vectors(w, size) <= 16 for w in weights(got))
    assert len(changes) == 2 and [c.effect is not None for c in changes] == [samples] * 2


def test_samples_make_the_outputs_better() -> None:
    graph, samples = dense_network()
    aware, _ = applied(ProductQuantize(16), graph, samples)
    blind, _ = applied(ProductQuantize(16), graph)
    assert noise(graph, aware, samples) < 0.7 * noise(graph, blind, samples)


def test_better_than_as_many_bits_of_single_values() -> None:
    """8 bits for 4 weights, against 2 bits for each; the vectors' dictionary is larger."""
    graph, samples = dense_network(96, 64)
    several, _ = applied(ProductQuantize(256), graph, samples)
    single, _ = applied(Cluster(4), graph, samples)
    assert noise(graph, several, samples) < noise(graph, single, samples)


def test_weights_that_have_few_vectors_are_kept() -> None:
    rng = np.random.default_rng(0)
    book = rng.integers(-127, 128, (7, 4)).astype(np.float64)
    rows = book[rng.integers(0, 7, 300)]
    found = kmeans(rows, np.ones_like(rows), 7)
    assert np.array_equal(found[nearest(rows, np.ones_like(rows), found)], rows)


def test_importance_decides_which_vector_is_nearest() -> None:
    book = np.array([[0.0, 10.0], [10.0, 0.0]])
    row = np.array([[1.0, 1.0]])
    assert nearest(row, np.array([[5.0, 1.0]]), book).tolist() == [0]
    assert nearest(row, np.array([[1.0, 5.0]]), book).tolist() == [1]


def test_layers_that_do_not_fill_vectors_or_are_too_small_stay() -> None:
    graph, samples = conv_network()  # 3 and 8 input channels, depthwise, fully connected
    got, changes = applied(ProductQuantize(16), graph, samples)
    assert [c.layer for c in changes] == ["scores"]
    assert np.array_equal(weights(got)[0], weights(graph)[0])
    assert applied(ProductQuantize(256, 8), dense_network(32, 32)[0])[1] == ()


@pytest.mark.parametrize("count", [1, 257])
def test_options_out_of_range(count: int) -> None:
    with pytest.raises(CompileError) as caught:
        ProductQuantize(count)
    assert caught.value.code == "E0701"


def test_damping_must_be_positive() -> None:
    with pytest.raises(CompileError) as caught:
        ProductQuantize(damping=0.0)
    assert caught.value.code == "E0701"


def test_later_vectors_take_over_the_error_of_earlier_ones() -> None:
    """Inputs 0 and 2 always agree: of 0.5 and 0.5, one becomes 1 and the other 0."""
    hessian = np.eye(4)
    hessian[0, 2] = hessian[2, 0] = 0.99
    target, scales = np.array([[[0.5, 0.0, 0.5, 0.0]]]), np.ones((1, 1))
    node = next(n for n in small_network()[0].nodes if len(n.inputs) == 3)
    layer = IntegerLayer(node, target, scales, None, 0.01)
    layer.__dict__["hessian"] = hessian[None]
    assert swept(layer, target, np.array([[0.0, 0.0], [1.0, 0.0]])).tolist() == [0, 1]
