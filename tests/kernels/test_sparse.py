"""Kernels for weights with zeros against the reference, at any density, on the host and on all emulated boards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rig
from hypothesis import given
from hypothesis import strategies as st
from rig import ALIKE, BOARDS, Case, check
from test_compilers import ZIG
from test_conv2d import POINTWISE, Conv
from test_dense import Layer

from mcucompile.ir import Array, Clip, Graph, Node, Numerics
from mcucompile.kernels import kernels_of
from mcucompile.kernels.conv2d.geometry import Gather
from mcucompile.kernels.conv2d.sparse_lists import (
    MAP_BITS,
    bitmap,
    listed_places,
    skipped,
    stored_once,
)
from mcucompile.kernels.conv2d.sparse_vectors import SparseVectors, walk
from mcucompile.kernels.kernel import Kernel
from mcucompile.lower.select import fitting
from mcucompile.target.cores import CORES, Isa

ENCODINGS = ("relative", "bitmap", "blocks4")


def thinned(case: Case, weights: Array, encoding: str) -> Case:
    """The case with other weights, kept in an encoding."""
    graph = case.graph
    (node,) = graph.nodes
    x, w, b = node.inputs
    w = replace(w, const=np.ascontiguousarray(weights, np.int8), encoding=encoding)
    made = Node(node.op, [x, w, b], node.outputs, node.source)
    made.op = made.op.fix(made, graph.numerics)
    graph = Graph(graph.name, graph.inputs, graph.outputs, [made], graph.numerics)
    return Case(f"{case.name} {encoding}", graph, case.samples)


def weights_of(case: Case) -> Array:
    weights = case.graph.nodes[0].inputs[1].const
    assert weights is not None
    return weights


def with_zeros(layer: Conv | Layer, seed: int, zeros: float, block: tuple[int, int] = (1, 1)) -> Iterator[Case]:
    """The layer in each encoding; `block`: input and output channels whose weights are zero together."""
    case = layer.case(seed)
    weights, rng = weights_of(case), np.random.default_rng(seed)
    o, *middle, c = weights.shape
    cells = rng.random((-(-o // block[1]), *middle, -(-c // block[0]))) >= zeros
    kept = np.repeat(np.repeat(cells, block[1], axis=0), block[0], axis=-1)[:o, ..., :c]
    for encoding in ENCODINGS:
        yield thinned(case, weights * kept, encoding)


def single(layer: Conv | Layer, where: float, value: int) -> Iterator[Case]:
    """One weight that is not zero, so that all channels but one are constant."""
    case = layer.case(1)
    weights = np.zeros_like(weights_of(case))
    weights.reshape(-1)[int(where * (weights.size - 1))] = value
    return (thinned(case, weights, encoding) for encoding in ENCODINGS)


def is_native(kernel: Kernel) -> bool:
    return kernel.variant.startswith("sparse_")


def native(node: Node, isa: Isa) -> list[Kernel]:
    """Every kernel that fits and multiplies the weights as it keeps them."""
    return [k for k in kernels_of(type(node.op)) if k.isa <= isa and k.fits(node)]


LAYERS = (
    (Conv((1, 5, 5, 8, 8)), 0.9, (1, 1)),
    (Conv((1, 8, 13, 16, 17), zero_x=-128, zero_y=127), 0.8, (4, 4)),
    (Conv((2, 5, 3, 8, 5), zero_x=127, zero_y=-128, clip=Clip(0.0)), 0.5, (4, 1)),
    (Conv((1, 8, 8, 3, 8), strides=(2, 2), pads=(0, 0, 1, 1), zero_x=-7), 0.7, (1, 1)),
    (Conv((1, 13, 5, 1, 7), (10, 4), (2, 2), (4, 1, 5, 1), zero_x=83), 0.95, (1, 1)),
    (Conv((1, 8, 5, 2, 33), (3, 2), (3, 1), (2, 1, 0, 1)), 0.6, (2, 2)),
    (Conv((1, 8, 8, 4, 6), dilations=(2, 3), pads=(2, 3, 2, 3), zero_x=-128, zero_y=-128), 0.6, (4, 2)),
    (Conv((1, 5, 3, 16, 16), **POINTWISE, zero_x=-128, clip=Clip(0.0, 6.0)), 0.0, (1, 1)),
    (Conv((1, 1, 1, 33, 17), **POINTWISE, zero_x=127), 0.5, (1, 1)),
    (Conv((2, 3, 3, 5, 2), **POINTWISE, per_channel=False, zero_y=-128), 0.3, (1, 1)),
    (Conv((1, 2, 3, 300, 9), **POINTWISE, zero_x=-128, clip=Clip(0.0, 6.0)), 0.97, (1, 1)),
    (Conv((1, 3, 4, 144, 6), zero_x=4), 0.2, (1, 1)),
    (Conv((1, 3, 3, 16, 16), **POINTWISE, spread=30, dead=True, zero_y=-128), 0.7, (1, 1)),
    (Conv((1, 4, 3, 8, 8), spread=1e6, zero_x=11), 0.8, (1, 1)),
    (Layer((1,), 16, 17, zero_x=-128, zero_y=-128, clip=Clip(0.0)), 0.5, (4, 4)),
    (Layer((1,), 33, 8, zero_x=5, per_channel=False), 0.4, (1, 1)),
    (Layer((1,), 640, 16, zero_x=-128), 0.9, (1, 1)),
    (Layer((1,), 577, 9, zero_x=127), 0.99, (1, 1)),
    (Layer((1,), 64, 12, spread=30, dead=True, zero_y=4), 0.8, (4, 1)),
    (Layer((3,), 8, 5, zero_x=-128), 0.5, (1, 1)),
    (Layer((2, 4), 20, 7, zero_y=-3), 0.5, (4, 2)),
)
TFLITE = (LAYERS[1], LAYERS[3], LAYERS[8], LAYERS[9], LAYERS[12], LAYERS[14], LAYERS[17])
HELD = st.lists(st.booleans(), min_size=1, max_size=400).map(np.array)


@given(HELD, st.integers(1, 90))
def test_lists_name_every_weight_and_skip_no_more_than_bytes_hold(is_kept: Array, most: int) -> None:
    places = listed_places(is_kept, most)
    gaps = skipped(places)
    assert set(np.flatnonzero(is_kept)) <= set(places)
    assert np.array_equal(np.cumsum(gaps + 1) - 1, places)
    assert gaps.max() <= most


@given(HELD)
def test_bitmaps_have_a_bit_for_every_place_and_end_words_with_a_mark(is_kept: Array) -> None:
    words = bitmap(is_kept)
    bits = np.array([[int(w) >> (MAP_BITS - i) & 1 for i in range(MAP_BITS + 1)] for w in words])
    assert bits[:, MAP_BITS].all()
    flat = bits[:, :MAP_BITS].ravel()
    assert np.array_equal(flat[: len(is_kept)], is_kept)
    assert not flat[len(is_kept) :].any()


def test_equal_lists_are_stored_once() -> None:
    assert stored_once([b"ab", b"c", b"ab", b""]) == (b"abc", [0, 2, 0, 3])


@pytest.mark.parametrize(("zeros", "encoding", "fits"), [(0.3, "", False), (0.7, "", True), (0.3, "relative", True)])
def test_kernels_are_for_many_zeros_or_where_asked_for(zeros: float, encoding: str, fits: bool) -> None:
    layer = Layer((1,), 100, 10)
    weights = weights_of(layer.case(0)) | 1
    weights.reshape(-1)[: int(zeros * weights.size)] = 0
    (node,) = thinned(layer.case(0), weights, encoding).graph.nodes
    assert any(is_native(k) for k in fitting(node, Isa.DSP)) is fits
    assert not any(is_native(k) and k.encoding != encoding for k in fitting(node, Isa.DSP) if encoding)


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m3", "cortex-m4f", "cortex-m7", "cortex-m33"])
@pytest.mark.parametrize("layer", [Layer((1,), 300, 60), Conv((1, 7, 6, 64, 32), **POINTWISE), Conv((1, 6, 6, 32, 16))])
def test_the_cost_model_prefers_them_at_nine_zeros_of_ten(core: str, layer: Conv | Layer) -> None:
    case = next(with_zeros(layer, 2, 0.9))
    (node,) = thinned(case, weights_of(case), "").graph.nodes
    kernels = native(node, CORES[core].isa)
    fast = min((k for k in kernels if not k.variant.startswith("winograd")), key=lambda k: k.cycles(node, CORES[core]))
    small = min(kernels, key=lambda k: k.code_nbytes(node) + sum(c.values.nbytes for c in k.constants(node)))
    assert is_native(fast)
    assert small.encoding != "plain"


@pytest.mark.parametrize("core", ["cortex-m4f", "cortex-m55"])
def test_the_cost_model_prefers_dense_kernels_where_half_of_the_weights_are_left(core: str) -> None:
    for layer in (Layer((1,), 300, 60), Conv((1, 7, 6, 64, 32), **POINTWISE), Conv((1, 6, 6, 32, 16))):
        case = next(with_zeros(layer, 2, 0.5))
        (node,) = thinned(case, weights_of(case), "").graph.nodes
        kernels = native(node, CORES[core].isa)
        assert any(is_native(k) for k in kernels)
        assert not is_native(min(kernels, key=lambda k: k.cycles(node, CORES[core])))


ALONE = (
    Conv((1, 2, 3, 300, 5), **POINTWISE, zero_x=3),
    Conv((1, 3, 3, 40, 3), zero_x=-128),
    Layer((1,), 700, 5, zero_x=127),
)


ROW = {"pads": (0, 0, 0, 0), "zero_x": 5}
AT_HALF_WORDS = (
    Conv((1, 1, 9, 2, 5), (1, 2), **ROW),
    Conv((1, 1, 9, 1, 6), (1, 4), **ROW),
    Conv((1, 1, 9, 3, 4), (1, 4), **ROW),
    Conv((1, 3, 5, 2, 8), (1, 2), (1, 2), **ROW),
    Conv((2, 1, 3, 2, 8), (1, 2), (1, 2), **ROW),
)
AT_WORDS = (
    Conv((1, 3, 6, 2, 5), (1, 2), (1, 2), **ROW),
    Conv((1, 1, 4, 3, 5), (1, 4), **ROW),
    Conv((1, 2, 12, 1, 3), (1, 4), (1, 4), **ROW),
    Conv((2, 3, 3, 4, 3), (1, 2), **ROW),
)


def test_windows_that_do_not_begin_at_words_are_copied() -> None:
    """Emulators gather words from anywhere, a Cortex-M55 does not."""
    gathers = [walk(layer.case(0).graph.nodes[0]).gather for layer in AT_HALF_WORDS + AT_WORDS]
    assert gathers == [Gather.ALWAYS] * len(AT_HALF_WORDS) + [Gather.NEVER] * len(AT_WORDS)


def test_windows_at_any_address_on_board() -> None:
    cases = [case for layer in AT_HALF_WORDS + AT_WORDS for case in with_zeros(layer, 3, 0.5)]
    check(cases, boards=("qemu-m55",), host=False, only=lambda kernel: kernel.variant == SparseVectors.variant)


def plain_cases() -> list[Case]:
    return [c for i, (layer, zeros, block) in enumerate(LAYERS) for c in with_zeros(layer, i, zeros, block)]


def tflite_cases() -> list[Case]:
    layers = [(replace(layer, numerics=Numerics.TFLITE), *rest) for layer, *rest in TFLITE]
    return [c for i, (layer, zeros, block) in enumerate(layers) for c in with_zeros(layer, i, zeros, block)]


def lone_cases() -> list[Case]:
    """One weight at either end or in the middle, and none at all."""
    chosen = [(where, value) for where, value in ((0.0, 1), (0.5, -127), (1.0, 127), (1.0, -128), (0.3, 0))]
    return [c for layer in ALONE for where, value in chosen for c in single(layer, where, value)]


def extreme_cases() -> list[Case]:
    """All weights -128, and all of them 127."""
    layers = (Conv((1, 2, 3, 64, 3), **POINTWISE, zero_x=127), Conv((1, 3, 3, 24, 2), zero_x=-128), Layer((1,), 130, 5))
    cases = [layer.case(3) for layer in layers]
    return [
        thinned(c, np.full_like(weights_of(c), value), encoding)
        for c in cases for value in (-128, 127) for encoding in ENCODINGS
    ]  # fmt: skip


def test_on_host() -> None:
    """Every encoding has its turn, of any stride that is no multiple of three."""
    check(plain_cases()[::2] + tflite_cases()[::5], boards=(), only=is_native)


def test_few_weights_and_large_ones_on_host() -> None:
    check(lone_cases()[::4] + extreme_cases()[::4], boards=(), only=is_native)


@pytest.mark.parametrize("board", BOARDS)
def test_on_board(board: str) -> None:
    take = 4 if board in ALIKE else 2
    check((plain_cases() + tflite_cases())[::take], boards=(board,), host=False, only=is_native)


@pytest.mark.parametrize("board", [b for b in BOARDS if b not in ALIKE])
def test_few_weights_and_large_ones_on_board(board: str) -> None:
    check(lone_cases()[::4] + extreme_cases()[::2], boards=(board,), host=False, only=is_native)


@pytest.mark.parametrize("opt", ["-O0", "-Os", "-O3"])
@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m3", "qemu-m4", "qemu-m55"])
def test_optimization_levels(board: str, opt: str) -> None:
    check(plain_cases()[::7] + tflite_cases()[1::7], (board,), opt, host=False, only=is_native)


@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m3", "qemu-m4", "qemu-m55"])
def test_clang(board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ziglang", reason="clang comes with the Python package ziglang")
    monkeypatch.setattr(rig, "find_toolchain", lambda: ZIG)
    for opt in ("-O0", "-O2"):
        check(plain_cases()[::10] + tflite_cases()[1::10], (board,), opt, host=False, only=is_native)


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m3", "cortex-m4f", "cortex-m55"])
def test_is_valid_cplusplus(core: str, tmp_path: Path) -> None:
    rig.write_sources(rig.runs_of(plain_cases()[::7], CORES[core], CORES[core].isa, is_native), tmp_path)
    toolchain = rig.find_toolchain()
    flags = [*toolchain.target_flags(CORES[core]), "-x", "c++", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion"]
    done = subprocess.run([*toolchain.command, *flags, "cases.c"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
