"""The text of small graphs and the C of small networks, as committed. `pytest --update-golden` writes them anew.

A difference here is not a fault by itself; it shows in a review what a change does to the output.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import mcucompile
from mcucompile.frontend import load
from mcucompile.ir import graph_text

HERE = Path(__file__).parent
MODELS = HERE.parent / "models"
SMALL = MODELS / "classifier_qdq_int8.onnx"
Golden = Callable[[str, str], None]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with the committed file, or writes it."""

    def check(name: str, text: str) -> None:
        path = HERE / name
        if request.config.getoption("--update-golden"):
            path.write_text(text)
        assert text == path.read_text(), f"{name} differs; if that is meant: pytest --update-golden"

    return check


def test_imported_graph(golden: Golden) -> None:
    golden("classifier_qdq_int8.imported.txt", graph_text(load(SMALL).graph))


@pytest.mark.parametrize("numerics", ["onnx", "tflite"])
def test_compiled_graph(numerics: str, golden: Golden) -> None:
    compiled = mcucompile.compile(SMALL, "qemu-m4", numerics=numerics)
    golden(f"classifier_qdq_int8.{numerics}.txt", graph_text(compiled.graph))


@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4", "qemu-m55"])
@pytest.mark.parametrize("file", ["classifier_qdq_int8.c", "classifier_qdq_int8.h", "classifier_qdq_int8_kernels.c"])
def test_generated_c(board: str, file: str, golden: Golden) -> None:
    """The weights are left out: they are many, and the graph's text has their checksums."""
    compiled = mcucompile.compile(SMALL, board)
    stem, suffix = file.rsplit(".", 1)
    golden(f"{stem}.{board}.{suffix}.golden", compiled.files[file].decode())
