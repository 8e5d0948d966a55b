"""What tests of the command line share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcucompile.cli import main

DIGITS = Path(__file__).parent.parent / "examples" / "digits"
MODEL, CALIBRATION = str(DIGITS / "digits.onnx"), str(DIGITS / "calibration.npz")


def run_json(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, Any]:
    """Exit code, and stdout, which must be JSON and nothing else."""
    code = main([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


def compile_digits(folder: Path) -> None:
    assert main(["compile", MODEL, "--board", "qemu-m4", "--calibration", CALIBRATION, "-o", str(folder)]) == 0
