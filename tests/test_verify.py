"""What counts as a difference, and how it is named."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from mcucompile.ir import Clip, DType, Graph, Node, QuantParams, Tensor
from mcucompile.metrics import accuracy, compare
from mcucompile.mismatch import FUNCTION_ULP, differs, first_mismatch, float_tolerance, ulp_distance
from mcucompile.ops import Clamp, Dequantize, LogSoftmax
from mcucompile.ops.matmul import MatMul
from mcucompile.report import json_text, plain


def test_one_wrong_integer_is_a_difference() -> None:
    expected = np.zeros((2, 3), np.int8)
    found = expected.copy()
    found[1, 1] = 1
    mismatch = first_mismatch(Tensor("y", (2, 3)), "conv", 7, found, expected)
    assert mismatch is not None
    assert (mismatch.sample, mismatch.differing, mismatch.first, mismatch.found) == (7, 1, 4, 1)
    assert "%y ('conv'), sample 7: 1 of 6" in str(mismatch)
    assert first_mismatch(Tensor("y", (2, 3)), "conv", 7, expected, expected) is None


@pytest.mark.parametrize(("steps", "equal"), [(20, True), (21, False)])
def test_floats_compare_within_units_of_the_largest_value(steps: int, equal: bool) -> None:
    expected = np.asarray([1.0, 0.0], np.float32)
    found = np.asarray([1.0, steps * 2.0**-23], np.float32)
    assert ulp_distance(found, expected) == steps
    assert bool(differs(found, expected, 20).any()) is not equal


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_float_that_is_no_number_is_a_difference(wrong: float) -> None:
    expected, found = np.asarray([1.0, 2.0], np.float32), np.asarray([1.0, wrong], np.float32)
    assert differs(found, expected, 20).tolist() == [False, True]
    assert differs(expected, found, 20).tolist() == [False, True]
    assert not differs(found, found, 20).any()


def test_metrics_of_a_known_case() -> None:
    r = np.asarray([[1.0, 3.0], [2.0, 0.0]])
    y = r + np.asarray([[1.0, 0.0], [0.0, 1.0]])
    m = compare(y, r, np.asarray([1, 1]))
    assert m.rmse == pytest.approx(np.sqrt(0.5))
    assert m.mae == pytest.approx(0.5)
    assert m.l2r == pytest.approx(np.sqrt(2) / np.sqrt(14))
    assert m.nse == pytest.approx(1 - 2 / 5)
    assert m.cos == pytest.approx(15 / np.sqrt(18 * 14))
    assert (m.agreement, m.accuracy, m.real_accuracy) == (1.0, 0.5, 0.5)


def test_metrics_of_equal_outputs() -> None:
    r = np.asarray([[1.0, 3.0]])
    m = compare(r, r)
    assert (m.rmse, m.mae, m.l2r, m.nse, m.agreement, m.accuracy) == (0, 0, 0, 1, 1, None)
    assert m.cos == pytest.approx(1)


def test_metrics_of_outputs_that_are_infinite() -> None:
    r = np.asarray([[1.0, 3.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m = compare(np.asarray([[np.inf, 3.0]]), r)
        other = compare(r, np.asarray([[np.inf, 3.0]]))
    assert m.rmse == np.inf and m.cos is not None and np.isnan(m.cos) and m.agreement == 0
    found = json.loads(json_text({"metrics": plain(m), "others": [plain(other)]}))
    assert found["metrics"]["rmse"] is None and found["metrics"]["agreement"] == 0


def dense_graph(quantized: bool) -> Graph:
    """One layer of 400 products per output."""
    dtype, quant = (DType.I8, QuantParams.per_tensor(1.0)) if quantized else (DType.F32, None)
    x, y = Tensor("x", (1, 400), dtype, quant), Tensor("y", (1, 10), dtype, quant)
    weight = Tensor("w", (400, 10), const=np.zeros((400, 10), np.float32))
    return Graph("net", [x], [y], [Node(MatMul(), [x, weight], [y])])


def test_the_tolerance_of_floats_grows_with_the_root_of_the_length_of_sums() -> None:
    assert float_tolerance(dense_graph(False)) == FUNCTION_ULP + 20
    assert float_tolerance(dense_graph(True)) == 0


def test_floats_of_an_integer_network_compare_by_bits() -> None:
    found, expected = np.asarray([0.5], np.float32), np.asarray([0.5], np.float32)
    assert not differs(found, expected, 0).any()
    assert differs(np.nextafter(found, np.float32(1)), expected, 0).all()


def test_one_element_has_no_largest_entry() -> None:
    r = np.asarray([[1.0], [3.0]])
    m = compare(r, r, np.asarray([0, 1]))
    assert (m.agreement, m.accuracy, m.real_accuracy) == (None, None, None)
    assert m.rmse == 0


@pytest.mark.parametrize("labels", [np.eye(2), np.asarray(["a", "b"]), np.asarray([1, 0, 1]), None])
def test_accuracy_needs_a_class_per_sample(labels: np.ndarray | None) -> None:
    assert accuracy(np.asarray([[1.0, 3.0], [2.0, 0.0]]), labels) is None


def test_a_float_operator_at_the_end_of_an_integer_network_has_a_tolerance() -> None:
    quant = QuantParams.per_tensor(0.5)
    x, stored = Tensor("x", (1, 4), DType.I8, quant), Tensor("s", (1, 4), DType.I8, quant)
    real, y = Tensor("r", (1, 4)), Tensor("y", (1, 4))
    nodes = [Node(Clamp(Clip(0.0)), [x], [stored]), Node(Dequantize(), [stored], [real])]
    assert float_tolerance(Graph("net", [x], [real], nodes)) == 0
    nodes.append(Node(LogSoftmax(), [real], [y]))
    assert float_tolerance(Graph("net", [x], [y], nodes)) > 0
