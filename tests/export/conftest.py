"""A small network with everything that exports add."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

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
