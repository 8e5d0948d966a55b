"""What counts as a difference, and how it is named."""

from __future__ import annotations

import numpy as np
import pytest

from mcucompile.ir import Tensor
from mcucompile.metrics import compare
from mcucompile.verify import FLOAT_ULP, differs, first_mismatch, ulp_distance


def test_one_wrong_integer_is_a_difference() -> None:
    expected = np.zeros((2, 3), np.int8)
    found = expected.copy()
    found[1, 1] = 1
    mismatch = first_mismatch(Tensor("y", (2, 3)), "conv", 7, found, expected)
    assert mismatch is not None
    assert (mismatch.sample, mismatch.differing, mismatch.first, mismatch.found) == (7, 1, 4, 1)
    assert "%y ('conv'), sample 7: 1 of 6" in str(mismatch)
    assert first_mismatch(Tensor("y", (2, 3)), "conv", 7, expected, expected) is None


@pytest.mark.parametrize(("steps", "equal"), [(FLOAT_ULP, True), (FLOAT_ULP + 1, False)])
def test_floats_compare_within_units_of_the_largest_value(steps: int, equal: bool) -> None:
    expected = np.asarray([1.0, 0.0], np.float32)
    found = np.asarray([1.0, steps * 2.0**-23], np.float32)
    assert ulp_distance(found, expected) == steps
    assert bool(differs(found, expected).any()) is not equal


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_float_that_is_no_number_is_a_difference(wrong: float) -> None:
    expected, found = np.asarray([1.0, 2.0], np.float32), np.asarray([1.0, wrong], np.float32)
    assert differs(found, expected).tolist() == [False, True]
    assert differs(expected, found).tolist() == [False, True]
    assert not differs(found, found).any()


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
