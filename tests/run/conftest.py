"""What the tests here need from the machine: a test that cannot have it is skipped, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from mcucompile.run.host import find_host_compiler
from mcucompile.run.tools import find_tool


def _need(found: object, what: str) -> None:
    if not found:
        pytest.skip(f"{what} is not installed")


@pytest.fixture
def arm_compiler() -> None:
    _need(find_tool("arm-none-eabi-gcc"), "arm-none-eabi-gcc")


@pytest.fixture
def emulator(arm_compiler: None) -> None:
    _need(find_tool("qemu-system-arm"), "qemu-system-arm")


@pytest.fixture
def host_compiler() -> str:
    compiler = find_host_compiler()
    _need(compiler, "a C compiler for the host")
    return str(compiler)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """The tiny library, as files."""
    return tiny.write(tmp_path / "library")
