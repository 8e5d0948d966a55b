"""A small network with everything that exports add, and what each project made of it must print."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from building import scores

import mcucompile
from mcucompile.api import Compiled
from mcucompile.export import FORMATS
from mcucompile.run.tools import find_tool

MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    """The network for a Cortex-M0, whose kernels are portable: the host builds and runs them too."""
    return mcucompile.compile(MODELS / "classifier_qdq_int8.onnx", "qemu-m0", name="net", export=",".join(FORMATS))


@pytest.fixture(scope="session")
def for_m4(compiled: Compiled) -> Compiled:
    """The same network with kernels that need the instructions of a Cortex-M4."""
    return compiled.for_board("qemu-m4")


@pytest.fixture(scope="session")
def expected(compiled: Compiled) -> list[int]:
    """What the reference says to the input that the examples fill in: 0 to 99, again and again."""
    (port,) = compiled.program.inputs
    pattern = (np.arange(port.size) % 100).astype(np.int8).reshape(1, *port.shape)
    return [int(v) for v in compiled.expected({port.name: pattern})["scores"].ravel()]


@pytest.fixture
def folder(compiled: Compiled, tmp_path: Path) -> Path:
    """The output folder, under another name than the library's."""
    compiled.write(tmp_path / "network of mine")
    return tmp_path / "network of mine"


@pytest.fixture
def m4_folder(for_m4: Compiled, tmp_path: Path) -> Path:
    for_m4.write(tmp_path / "m4")
    return tmp_path / "m4"


@pytest.fixture
def tool() -> Callable[[str], str]:
    """The path of a program; skips where it is not installed."""

    def find(name: str) -> str:
        path = find_tool(name) if name.startswith("arm-") else shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture
def prints_the_scores(expected: Sequence[int]) -> Callable[[str], None]:
    """Asserts that a text holds the reference's outputs, as the examples print them."""

    def check(text: str) -> None:
        assert scores(text) == expected

    return check
