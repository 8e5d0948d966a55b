"""Kernels that unpack encoded weights: every encoding with every inner kernel, against the reference, on all boards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import rig
from rig import ALIKE, BOARDS, NO_SANITIZERS, Case, Run, check, has_sanitizers, runs_of, unpacks
from test_conv2d import POINTWISE, Conv
from test_dense import Layer
from test_depthwise_conv2d import Depthwise

from mcucompile.encodings import BY_NAME
from mcucompile.errors import CompileError
from mcucompile.ir import Array, Clip, DType, Numerics, QuantParams, verify
from mcucompile.kernels.unpacked import tiles, unpacked_kernels
from mcucompile.kernels.unpacked.kernel import Unpacked
from mcucompile.kernels.unpacked.plan import UnpackedParams
from mcucompile.lower.select import fitting
from mcucompile.target.board import load_board
from mcucompile.target.cores import CORES, Isa

LEVELS = {
    "int4": range(-8, 8), "int2": range(-2, 2), "ternary": (-1, 0, 1), "binary": (-1, 1),
    "codebook": range(-40, 41, 5), "words": (-3, 0, 5), "huffman": range(-128, 128), "lossless": (-20, 0, 30),
}  # fmt: skip
NAMES = tuple(LEVELS)
SMALL_TILES = (150,)  # bytes of unpacked weights: small layers have several tiles then


def values_of(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Weights that the encoding holds, many zeros among them if it holds zeros."""
    levels = np.asarray(LEVELS[name])
    values = rng.choice(levels, shape)
    return np.where(rng.random(shape) < 0.4 * (0 in levels), 0, values).astype(np.int8)


def encoded(layer: Conv | Layer | Depthwise, name: str, seed: int = 1) -> Case:
    """The layer with weights that are to be kept as the encoding has them."""
    made = layer.case(seed)
    (node,), rng = made.graph.nodes, np.random.default_rng(seed)
    w, y = node.inputs[1], node.output
    values = values_of(name, w.shape, rng)
    node.inputs[1] = replace(w, const=values, encoding=name)
    assert y.quant
    assert w.const is not None
    reach = float(np.abs(values).max()) / 127
    y.quant = QuantParams.per_tensor(y.quant.scale * max(reach, 0.02), y.quant.zero, y.quant.dtype)
    node.op = node.op.fix(node, made.graph.numerics)
    verify(made.graph)
    return replace(made, name=f"{name} {made.name}", graph=made.graph)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "LIMITS", SMALL_TILES)


LAYERS = (
    Conv((1, 5, 4, 4, 10), zero_x=-128, zero_y=-128, clip=Clip(0.0)),
    Layer((1,), 20, 10, zero_x=3, zero_y=-128),
)
OTHERS = (
    Conv((1, 3, 5, 3, 13), zero_x=-128, zero_y=127, numerics=Numerics.TFLITE),
    Conv((2, 4, 3, 8, 9), **POINTWISE, zero_x=5, spread=1e6),
    Conv((1, 5, 5, 8, 12), groups=4, zero_x=-3),
    Conv((1, 5, 4, 2, 6), x=DType.I16),
    Conv((1, 3, 3, 9, 4), dilations=(2, 2), pads=(2, 2, 2, 2), numerics=Numerics.TFLITE),
    Conv((1, 1, 1, 33, 17), **POINTWISE, zero_x=127),
    Layer((1,), 33, 11, zero_x=-128, numerics=Numerics.TFLITE, spread=30),
    Layer((3,), 17, 7, zero_x=1, zero_y=3),
    Layer((1,), 300, 9, zero_x=-5, dead=True),
    Layer((2,), 9, 6, x=DType.I16),
    Depthwise((1, 6, 5, 11, 1), zero_x=-128, zero_y=-128, clip=Clip(0.0)),
    Depthwise((1, 9, 4, 8, 1), (5, 1), (1, 1), (2, 0, 2, 0), zero_x=4, numerics=Numerics.TFLITE),
    Depthwise((1, 5, 5, 6, 1), x=DType.I16),
)


def everything() -> list[Case]:
    return [encoded(layer, name) for name in NAMES for layer in LAYERS]


def awkward(names: Sequence[str] = ("int4", "huffman")) -> list[Case]:
    return [encoded(layer, names[i % len(names)], i) for i, layer in enumerate(OTHERS)]


INNER = {
    "qemu-m0": {"direct", "halves", "couples"},
    "qemu-m3": {"triples", "dots"},
    "qemu-m4": {"blocked", "compact", "winograd4_expanding4", "row", "words"},
    "qemu-m55": {"vector_pairs", "vector_row"},
}


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("board", INNER)
def test_no_pair_is_missing(board: str) -> None:
    """All encodings that hold zeros, with which kernels fill up their weights, go with all kernels."""
    found = {(k.encoding, k.inner.variant) for k in kernels_for(everything(), load_board(board).isa)}
    wanted = {(name, inner) for name in NAMES if name != "binary" for inner in INNER[board]}
    assert not wanted - found
    assert "binary" in {encoding for encoding, _ in found}
    assert any(k.tile < 10 for k in kernels_for(everything(), load_board(board).isa))


def kernels_for(cases: Sequence[Case], isa: Isa) -> list[Unpacked]:
    found = [k for c in cases for k in fitting(c.graph.nodes[0], isa)]
    assert all(isinstance(k, Unpacked) for k in found)
    return [k for k in found if isinstance(k, Unpacked)]


@pytest.mark.usefixtures("small_tiles")
def test_on_host() -> None:
    """What surrounds the decoders; these have tests with sanitizers of their own."""
    check([*everything()[::3], *awkward()], boards=(), only=unpacks)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("board", BOARDS)
def test_every_pair_on_board(board: str) -> None:
    cases = everything()[:: 3 if board in ALIKE else 1]
    check(cases, boards=(board,), host=False, only=unpacks)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("board", BOARDS)
def test_awkward_layers_on_board(board: str) -> None:
    check(awkward(), boards=(board,), host=False, only=unpacks)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("opt", ["-O0", "-O1", "-O3", "-Os"])
@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4", "qemu-m55"])
def test_every_optimization(board: str, opt: str) -> None:
    layers = [encoded(layer, "huffman") for layer in (*LAYERS, OTHERS[0])]
    check(layers, boards=(board,), host=False, opt=opt, only=unpacks)


@pytest.mark.usefixtures("small_tiles")
def test_damaged_weights_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the encoded arrays hold: sanitizers find nothing, guards and inputs are whole.

    Sums may overflow, since their range was proved for the right weights.
    """
    if not has_sanitizers():
        pytest.skip(NO_SANITIZERS)
    monkeypatch.setattr(rig, "SANITIZERS", (*rig.SANITIZERS, "-fno-sanitize=signed-integer-overflow"))
    layers = [encoded(LAYERS[i % 2], name) for i, name in enumerate(NAMES)]
    runs = runs_of([*layers, *awkward()[::2]], CORES["cortex-m4f"], Isa.SCALAR, unpacks)
    damaged = [with_damage(run, [c.name for c in params_of(run).coded]) for run in runs]
    for failure in rig.failures_of(damaged, rig.run_on_host(damaged)):
        assert "wrong, first at" in failure  # which is to be expected


def test_a_damaged_table_of_sizes_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unpacked stays inside scratch. (Inner kernels that need such a table count on what they read.)"""
    if not has_sanitizers():
        pytest.skip(NO_SANITIZERS)
    layers = [encoded(layer, "huffman") for layer in LAYERS]
    runs = [r for r in runs_of(layers, CORES["cortex-m4f"], Isa.SCALAR, unpacks) if params_of(r).has_table]
    assert {r.kernel.variant for r in runs} == {"huffman_halves_10", "huffman_couples_10", "huffman_couples_4"}
    printed = rig.kernels_text

    def without_inner(*args: Any) -> str:
        text, count = re.subn(
            r"    run\d+_\w+\(x, (\w+), [^;]*\bstream\b[^;]*;", r"    (void)x;\n    (void)\1;", printed(*args)
        )
        assert count == len(runs)
        return text

    monkeypatch.setattr(rig, "kernels_text", without_inner)
    damaged = [with_damage(run, ["sizes"]) for run in runs]
    for failure in rig.failures_of(damaged, rig.run_on_host(damaged)):
        assert "wrong, first at" in failure


def params_of(run: Run) -> UnpackedParams:
    assert isinstance(run.kernel, Unpacked)
    return run.kernel.params(run.case.graph.nodes[0])


def with_damage(run: Run, roles: Sequence[str]) -> Run:
    """The run with noise for some of its constants."""
    rng = np.random.default_rng(5)
    named = re.compile(rf"_y_({'|'.join(roles)})(_\d+)?$")
    constants = tuple(
        replace(c, values=noise(c.values, rng)) if named.search(c.name) else c for c in run.program.constants
    )
    assert constants != run.program.constants
    return replace(run, program=replace(run.program, constants=constants))


def noise(values: Array, rng: np.random.Generator) -> Array:
    data = rng.integers(0, 256, values.nbytes).astype(np.uint8)
    return data.view(values.dtype).reshape(values.shape)


def test_an_encoding_that_is_asked_for_is_taken() -> None:
    case = encoded(Conv((1, 5, 4, 4, 8)), "int4")
    (node,) = case.graph.nodes
    assert {k.encoding for k in fitting(node, Isa.DSP)} == {"int4"}
    node.inputs[1].encoding = "plain"
    assert {k.encoding for k in fitting(node, Isa.DSP)} == {"plain"}


def test_small_weights_are_left_alone_unless_asked_for() -> None:
    case = encoded(Conv((1, 5, 4, 4, 5)), "int4")  # 180 weights
    (node,) = case.graph.nodes
    node.inputs[1].encoding = ""
    assert not any(map(unpacks, fitting(node, Isa.DSP)))


def test_an_encoding_that_cannot_hold_the_weights_is_an_error() -> None:
    case = encoded(Conv((1, 5, 4, 4, 8)), "huffman")
    (node,) = case.graph.nodes
    node.inputs[1].encoding = "ternary"
    node.source = ("/0/Conv", "/1/Relu")
    weights = node.inputs[1].const
    assert weights is not None
    with pytest.raises(CompileError) as caught:
        fitting(node, Isa.DSP)
    assert caught.value.code == "E0402" and caught.value.fix == "quantize_weights=ternary@/0/Conv"
    assert caught.value.why == (
        f"the weights of '/0/Conv' have integers from {weights.min()} to {weights.max()}, "
        "which ternary (-1..1) does not hold"
    )


def test_channels_that_are_filled_up_are_named_as_the_cause() -> None:
    case = encoded(Layer((2,), 9, 3), "binary")
    (node,) = case.graph.nodes
    with pytest.raises(CompileError) as caught:
        fitting(node, Isa.DSP)
    assert caught.value.code == "E0402"
    assert "zeros that fill up channels" in caught.value.why


def test_only_the_weights_say_how_they_are_kept() -> None:
    case = encoded(Conv((1, 5, 4, 4, 8)), "int4")
    (node,) = case.graph.nodes
    node.inputs[2] = replace(node.inputs[2], encoding="plain")
    assert {k.encoding for k in fitting(node, Isa.DSP)} == {"int4"}
    node.inputs[1].encoding = ""
    assert {k.encoding for k in fitting(node, Isa.DSP)} > {"plain"}


def test_weights_of_few_values_may_be_unpacked_without_being_asked_for() -> None:
    case = encoded(Conv((1, 5, 4, 32, 32)), "int4")
    (node,) = case.graph.nodes
    node.inputs[1].encoding = ""
    assert {"plain", "int4"} <= {k.encoding for k in fitting(node, Isa.DSP)}


def test_ordinary_weights_are_not_unpacked() -> None:
    (node,) = Conv((1, 5, 4, 32, 32)).case(1).graph.nodes
    plain = [k for k in fitting(node, Isa.DSP) if k.encoding == "plain"]
    assert unpacked_kernels(node, plain) == []


def test_all_encodings_are_tested() -> None:
    assert set(LEVELS) == {name for name, encoding in BY_NAME.items() if not encoding.needs_walk}
