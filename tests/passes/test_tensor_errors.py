"""Gains of channels, of which some are removed before and after they are measured."""

from __future__ import annotations

import numpy as np

from mcucompile.ir import Tensor
from mcucompile.passes.tensor_errors import gain_of, in_place


def of_channels(kept: tuple[int, ...] | None, count: int) -> Tensor:
    return Tensor("y", (1, count), kept=kept)


def test_a_gain_is_found_by_the_channels_first_number() -> None:
    """Of four channels 1 and 3 were left when 2.0 and 4.0 were measured, and 3 alone later."""
    gains = {"y": in_place(np.array([2.0, 4.0]), (1, 3))}
    np.testing.assert_array_equal(gain_of(of_channels((1, 3), 2), gains), [2.0, 4.0])
    np.testing.assert_array_equal(gain_of(of_channels((3,), 1), gains), [4.0])


def test_all_channels_are_left() -> None:
    gains = {"y": in_place(np.array([2.0, 4.0, 8.0]), None)}
    np.testing.assert_array_equal(gain_of(of_channels(None, 3), gains), [2.0, 4.0, 8.0])
    np.testing.assert_array_equal(gain_of(of_channels((0, 2), 2), gains), [2.0, 8.0])


def test_a_tensor_that_was_not_stretched() -> None:
    assert gain_of(of_channels((0,), 1), {}) == 1.0
