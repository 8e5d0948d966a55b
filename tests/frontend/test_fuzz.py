"""Damaged model files: every one gives a CompileError, or a sound graph. Never anything else, never for long."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx_models import PASSES, floats, model, node

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Graph, verify
from mcucompile.reference import evaluate

MODELS = Path(__file__).parents[1] / "models"
FLIPS, CUTS, SECONDS = 200, 20, 10


def damaged(data: bytes) -> Iterator[bytes]:
    rng = random.Random(1)
    for _ in range(FLIPS):
        broken = bytearray(data)
        broken[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        yield bytes(broken)
    for _ in range(CUTS):
        yield data[: rng.randrange(len(data))]


def run(graph: Graph) -> None:
    verify(graph)
    evaluate(graph, {t.name: np.zeros(t.shape, t.dtype.numpy) for t in graph.inputs})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["classifier_qdq_int8", "opset7", "qonnx_w4a4", "classifier_qcdq", "classifier_int4"])
def test_damaged_model(name: str) -> None:
    sound, refused = 0, 0
    for data in damaged((MODELS / f"{name}.onnx").read_bytes()):
        started = time.monotonic()
        try:
            graph = load(data).graph
            run(graph)
            for p in PASSES:
                p.run(graph)
            run(graph)
            sound += 1
        except CompileError:
            refused += 1
        assert time.monotonic() - started < SECONDS
    assert sound > 20 and refused > 20, "the damage tests nothing"


@pytest.mark.parametrize("seed", range(20))
def test_noise(seed: int) -> None:
    data = random.Random(seed).randbytes(1 + 97 * seed)
    with pytest.raises(CompileError):
        load(data)


def test_long_chain_of_nodes_takes_no_time() -> None:
    count = 4000
    nodes = [node("Sigmoid", [f"v{i}"], [f"v{i + 1}"]) for i in range(count)]
    proto = model(nodes[::-1], [floats("v0", 1, 2)], [floats(f"v{count}", 1, 2)])
    started = time.monotonic()
    assert len(load(proto.SerializeToString()).graph.nodes) == count
    assert time.monotonic() - started < SECONDS
