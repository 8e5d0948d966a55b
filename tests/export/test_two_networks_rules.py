"""The Makefile of examples/two_networks compiles a network again when it has changed, and only that one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from building import run

EXAMPLES = Path(__file__).parents[2] / "examples"
# Stands for mcucompile: notes what it is asked for and makes what the Makefile waits for.
COMPILER = """
import pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
calibration = sys.argv[sys.argv.index("--calibration") + 1]
folder.mkdir(parents=True, exist_ok=True)
(folder / f"{folder.name}.mk").touch()
(folder / "reference.npz").touch()
print("compiled", sys.argv[2], "with", calibration)
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example and of what it compiles, all of it old."""
    for name in ("two_networks", "digits", "binary"):
        shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=shutil.ignore_patterns("build"))
    (tmp_path / "compiler.py").write_text(COMPILER)
    age(tmp_path, 1_000_000_000)
    return tmp_path / "two_networks"


def age(folder: Path, seconds: int) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (seconds, seconds))


def compilations(example: Path, *targets: str) -> list[str]:
    """The lines of the stand-in, of a run after which everything is older than what comes."""
    told = run("make", *targets, f"MCUCOMPILE={sys.executable} ../compiler.py", "PYTHON=true", cwd=example)
    age(example.parent, 1_000_000_000)
    age(example / "build", 1_500_000_000)
    return sorted(line for line in told.splitlines() if line.startswith("compiled"))


def test_what_changed_is_compiled_again(example: Path, tool: Callable[[str], str]) -> None:
    tool("make")
    lines = {name: f"compiled ../{name}/{name}.onnx with ../{name}/calibration.npz" for name in ("binary", "digits")}
    assert compilations(example, "build/samples.h") == [lines["binary"], lines["digits"]]
    assert compilations(example, "build/samples.h") == []
    (example.parent / "digits" / "digits.onnx").touch()
    assert compilations(example, "build/samples.h") == [lines["digits"]]
    (example.parent / "binary" / "calibration.npz").touch()
    assert compilations(example, "build/samples.h") == [lines["binary"]]


def test_cleaning_compiles_nothing(example: Path, tool: Callable[[str], str]) -> None:
    tool("make")
    assert compilations(example, "clean") == []
