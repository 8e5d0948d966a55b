"""The shipped binary network: what its script says of it, bits on every core, and how little of it is left."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from needs import needs_emulator

import mcucompile
from mcucompile.api import Compiled
from mcucompile.data import Samples
from mcucompile.ir import Array, DType
from mcucompile.ops.binary_conv2d import BinaryConv2d
from mcucompile.reference import evaluate_all, quantized_inputs

FOLDER = Path(__file__).parents[1] / "examples" / "binary"
BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")


@cache
def compiled(board: str = "qemu-m4", **options: str) -> Compiled:
    return mcucompile.compile(FOLDER / "binary.onnx", board, calibration=FOLDER / "calibration.npz", **options)


def held_out() -> tuple[Array, Array]:
    with np.load(FOLDER / "test.npz") as arrays:
        return arrays["image"], arrays["y"]


def scores_of_onnx_runtime(images: Array) -> Array:
    onnxruntime = pytest.importorskip("onnxruntime", reason="accuracy is measured with onnxruntime: not installed")
    session = onnxruntime.InferenceSession(FOLDER / "binary.onnx", providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["scores"], {"image": image[None]})[0] for image in images])


def test_accuracy_is_the_one_that_the_script_states() -> None:
    images, labels = held_out()
    correct = int((scores_of_onnx_runtime(images).argmax(axis=1) == labels).sum())
    stated = re.search(r"(\d+) of the 400 held-out images rightly \((0\.\d{3})\)", (FOLDER / "train.py").read_text())
    assert stated is not None
    assert (correct, f"{correct / 400:.3f}") == (int(stated[1]), stated[2])
    assert correct >= 385


def test_images_are_0_to_1_and_held_out() -> None:
    images, labels = held_out()
    with np.load(FOLDER / "calibration.npz") as arrays:
        calibration = arrays["image"]
    assert (images.shape, calibration.shape) == ((400, 1, 8, 8), (100, 1, 8, 8))
    assert (images.min(), images.max()) == (0, 1)
    assert set(labels) == set(range(10))
    assert not {i.tobytes() for i in images} & {i.tobytes() for i in calibration}


def test_model_is_small_and_says_nothing_of_the_training_machine() -> None:
    model = onnx.load(FOLDER / "binary.onnx")
    assert (FOLDER / "binary.onnx").stat().st_size < 200_000
    assert not any([model.doc_string, model.metadata_props, model.graph.doc_string])
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_all_layers_but_the_first_are_binary() -> None:
    graph = compiled().graph
    names = [n.op.name for n in graph.nodes if n.op.name != "reshape"]
    assert names == ["conv2d", "pack_signs", "binary_conv2d", "binary_max_pool", "binary_conv2d", "binary_conv2d"]
    fills = [n.op.fill for n in graph.nodes if isinstance(n.op, BinaryConv2d)]
    assert fills == [1, 0, 0]


def test_weights_and_activations_are_bits() -> None:
    c = compiled()
    binary = [s for s in c.program.steps if s.op == "binary_conv2d"]
    weights = {a.name: a.nbytes for a in c.program.constants if a.dtype is DType.U32}
    assert sorted(weights.values()) == [32 * 9 * 32 // 8, 1024 * 10 // 8, 64 * 9 * 32 // 8]
    assert sum(s.weight_nbytes for s in binary) < 6_200
    packed = {t.name: t.nbytes for t in c.graph.activations() if t.dtype is DType.U32}
    assert max(packed.values()) == 8 * 8 * 32 // 8
    assert c.program.arena_nbytes < 8 * 8 * 32 + 400, "the largest is the first layer's int8 output"


def test_integers_classify_like_the_float_network() -> None:
    images, labels = held_out()
    graph, theirs = compiled().graph, scores_of_onnx_runtime(images[:200])
    stored = quantized_inputs(graph, {"image": images[:200]})
    ours = np.concatenate([result["scores"] for result in evaluate_all(graph, stored)])
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() >= 0.975
    assert (ours.argmax(axis=1) == labels[:200]).mean() >= (theirs.argmax(axis=1) == labels[:200]).mean() - 0.015


def test_thresholds_are_exact() -> None:
    """Real inputs and sums, and signs in between: nothing but the order of the first layer's sums can differ."""
    images, _ = held_out()
    graph = compiled(dtype="float32").graph
    assert [n.op.name for n in graph.nodes].count("binary_conv2d") == 3
    ours = np.concatenate([r["scores"] for r in evaluate_all(graph, {"image": images[:100]})])
    np.testing.assert_allclose(ours, scores_of_onnx_runtime(images[:100]), rtol=1e-4, atol=1e-4)


@needs_emulator
@pytest.mark.parametrize("board", BOARDS)
def test_every_byte_on_every_core(board: str) -> None:
    images, labels = held_out()
    result = compiled(board).verify(Samples({"image": images[:30]}, labels[:30]), per_layer=True)
    assert result.ok, result.mismatch
    assert result.stack_nbytes <= (1024 if board == "qemu-m55" else 512)


@needs_emulator
@pytest.mark.parametrize("dtype", ["int16x8", "float32"])
def test_other_types(dtype: str) -> None:
    result = compiled(dtype=dtype).verify(Samples({"image": held_out()[0][:10]}), per_layer=True)
    assert result.ok, result.mismatch


def with_onnx_sign() -> bytes:
    """The network with ONNX's Sign, which gives 0 at zero, instead of Larq's."""
    model = onnx.load(FOLDER / "binary.onnx")
    for sign in [n for n in model.graph.node if n.name in ("sign1", "sign2", "sign3")]:
        model.graph.node.remove(next(n for n in model.graph.node if n.output[0] == sign.input[0]))
        three = next(n for n in model.graph.node if n.output[0] == f"{sign.name}_three")
        sign.input[0] = three.input[0]
        model.graph.node.remove(three)
    return bytes(model.SerializeToString())


def test_what_zero_counts_as_is_told() -> None:
    """Real sums count as positive at zero; sums of signs with a real offset are never zero here."""
    c = mcucompile.compile(with_onnx_sign(), "qemu-m4", calibration=FOLDER / "calibration.npz", name="signs")
    notes = [n for n in c.prepared.notes if n.startswith("sign '")]
    assert len(notes) == 1
    assert "sign1" in notes[0] and "counts as positive" in notes[0]
    assert [n.op.name for n in c.graph.nodes].count("binary_conv2d") == 3
