"""Kernels for weights with zeros end, and jump nowhere else, where flash does not hold what was compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from needs import NO_EMULATOR, has_emulator
from rig import Run, failures_of, run_on_board, runs_of
from test_conv2d import POINTWISE, Conv
from test_dense import Layer
from test_sparse import is_native, with_zeros

from mcucompile.ir import Array
from mcucompile.ir.program import CArray
from mcucompile.kernels.kernel import Kernel
from mcucompile.target.board import load_board

BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m55")
LAYERS = (
    (Conv((1, 4, 4, 24, 6), pads=(0, 0, 0, 0)), 0.8),  # lists of many entries
    (Conv((1, 2, 5, 33, 5), **POINTWISE), 0.7),  # of few
    (Layer((1,), 90, 7), 0.8),
    (Layer((5,), 40, 6), 0.7),
)

Damage = Callable[[Array], Array]


def damaged_runs(
    board: str, only: Callable[[Kernel], bool], harmed: Callable[[CArray], bool], damage: Damage
) -> list[Run]:
    b = load_board(board)
    cases = [case for i, (layer, zeros) in enumerate(LAYERS) for case in with_zeros(layer, i, zeros)]
    damaged = []
    for run in runs_of(cases, b.core, b.isa, only):
        constants = tuple(replace(c, values=damage(c.values) if harmed(c) else c.values) for c in run.program.constants)
        damaged.append(replace(run, program=replace(run.program, constants=constants)))
    return damaged


def results_of(runs: list[Run], board: str) -> bytes:
    assert runs
    if not has_emulator():
        pytest.skip(NO_EMULATOR)
    return run_on_board(runs, load_board(board), "-O2")[0]


def has_map(kernel: Kernel) -> bool:
    return kernel.variant == "sparse_bitmap"


def is_tiled(kernel: Kernel) -> bool:
    """In these kernels what follows in a stream of weights is not found without the map of a channel."""
    return is_native(kernel) and kernel.template.endswith("sparse_tiles.dsp.c.j2")


def has_map_apart(kernel: Kernel) -> bool:
    return has_map(kernel) and not is_tiled(kernel)


def words_of(values: Array) -> Array:
    """uint32; bytes behind the last whole word are left out."""
    data = values.tobytes()
    return np.frombuffer(data[: len(data) // 4 * 4], np.uint32).copy()


def with_words(values: Array, words: Array) -> Array:
    data = words.tobytes()
    return np.frombuffer(data + values.tobytes()[len(data) :], values.dtype).reshape(values.shape)


def is_index(constant: CArray) -> bool:
    return "index" in constant.name


def may_hold_map(constant: CArray) -> bool:
    """In convolutions for small cores the map is in front of the weights of each channel."""
    return is_index(constant) or "weight" in constant.name


@pytest.mark.parametrize("board", BOARDS)
def test_ends_where_flash_holds_zeros(board: str) -> None:
    results_of(damaged_runs(board, is_native, lambda constant: True, np.zeros_like), board)


@pytest.mark.parametrize("board", BOARDS[:3])
@pytest.mark.parametrize("word", [0, 1 << 31, 0xFFFFFFFE])
def test_ends_whatever_a_map_says(board: str, word: int) -> None:
    def full(values: Array) -> Array:
        return with_words(values, np.full_like(words_of(values), word))

    results_of(damaged_runs(board, has_map_apart, is_index, full), board)


@pytest.mark.parametrize("word", [0, 1 << 31, 0xFFFFFFFE])
def test_tiles_end_whatever_the_end_of_a_map_says(word: int) -> None:
    def with_last(values: Array) -> Array:
        words = words_of(values)
        words[-1] = word
        return with_words(values, words)

    results_of(damaged_runs("qemu-m4", lambda k: has_map(k) and is_tiled(k), is_index, with_last), "qemu-m4")


@pytest.mark.parametrize("board", BOARDS[:3])
def test_ends_without_marks(board: str) -> None:
    def without_marks(values: Array) -> Array:
        return with_words(values, words_of(values) & np.uint32(0xFFFFFFFE))

    results_of(damaged_runs(board, has_map_apart, may_hold_map, without_marks), board)


def test_enters_the_written_out_steps_only_at_a_step() -> None:
    """Bits above the number of steps to skip change nothing."""

    def with_bits(values: Array) -> Array:
        found = values.copy()
        found.reshape(-1)[1] |= 0xFFF8
        return found

    runs = damaged_runs("qemu-m4", lambda k: is_tiled(k) and not has_map(k), lambda c: "weight" in c.name, with_bits)
    assert not failures_of(runs, results_of(runs, "qemu-m4"))
