"""Where weights are in a kernel's constants."""

from __future__ import annotations

import numpy as np
import pytest

from mcucompile.encodings import MIRRORED, SHIFTED
from mcucompile.kernels.stream import Stream, blocks, joined


def test_a_stream_is_split_by_its_form() -> None:
    stream = blocks(2, head=1, weights=5, tail=1, prefix=1, suffix=2)
    assert stream == Stream((2, 2, 3), (5, 5))
    words = np.arange(11, dtype=np.int32)
    weights = np.array([1, -2, 3, -4, 5], np.int8)
    for at in (2, 6):
        words[at : at + 2] = np.concatenate([weights, np.zeros(3, np.int8)]).view(np.int32)
    raw, values = stream.split(words)
    assert raw.tolist() == [0, 1, 4, 5, 8, 9, 10]
    assert values.tolist() == [*weights, *weights]


@pytest.mark.parametrize(
    ("mask", "wanted"), [(0, [1, 2, 3, 4]), (SHIFTED, [-127, -126, -125, -124]), (MIRRORED, [-127, 2, -125, 4])]
)
def test_a_stream_knows_how_weights_are_stored(mask: int, wanted: list[int]) -> None:
    _, values = Stream((0, 0), (4,), mask).split(np.array([1, 2, 3, 4], np.int8))
    assert values.tolist() == wanted


def test_streams_one_behind_the_other() -> None:
    assert joined([Stream((1, 2, 3), (4, 8)), Stream((5, 6), (12,))]) == Stream((1, 2, 8, 6), (4, 8, 12))
