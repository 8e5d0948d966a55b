"""The command line as a user meets it: exit codes, JSON, tables, errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcucompile.cli import main
from mcucompile.errors import CODES
from mcucompile.run.tools import find_tool

DIGITS = Path(__file__).parent.parent / "examples" / "digits"
MODEL, CALIBRATION = str(DIGITS / "digits.onnx"), str(DIGITS / "calibration.npz")
needs_emulator = pytest.mark.skipif(
    not (find_tool("qemu-system-arm") and find_tool("arm-none-eabi-gcc")), reason="needs the Arm compiler and QEMU"
)


def run_json(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, Any]:
    """Exit code, and stdout, which must be JSON and nothing else."""
    code = main([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", ["boards", "ops", "passes"])
def test_listings(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, rows = run_json(capsys, command)
    assert code == 0
    assert len(rows) > 5
    assert main([command]) == 0
    table = capsys.readouterr().out
    assert all(str(next(iter(row.values()))) in table for row in rows)


@pytest.mark.parametrize("code", sorted(CODES))
def test_explain(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", code.lower()]) == 0
    assert CODES[code] in capsys.readouterr().out.replace("\n", " ")


def test_explain_what_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "E9999"]) == 2
    assert "error[E0704]" in capsys.readouterr().err


def test_inspect(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run_json(capsys, "inspect", MODEL, "--board", "qemu-m4")
    assert code == 0
    assert found["inputs"] == ["image float32[1x1x28x28]"]
    assert found["parameters"] > 10_000
    assert found["fit"]["fits"] is True
    assert main(["inspect", MODEL]) == 0
    assert "MACs" in capsys.readouterr().out


def test_errors_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run_json(capsys, "compile", MODEL, "--board", "toaster")
    assert code == 2
    assert answer["error"]["code"] == "E0301"
    assert "mcucompile boards" in answer["error"]["fix"] + answer["error"]["why"] or answer["error"]["fix"]


def test_missing_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "nowhere.onnx", "--board", "qemu-m4"]) == 2
    assert "error[E0702]" in capsys.readouterr().err


def test_board_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", MODEL]) == 2
    assert "--board" in capsys.readouterr().err


def compile_digits(folder: Path) -> None:
    assert main(["compile", MODEL, "--board", "qemu-m4", "--calibration", CALIBRATION, "-o", str(folder)]) == 0


def test_compile_writes_the_promised_files_and_the_same_bytes_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        compile_digits(tmp_path / name)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two"))
    promised = {
        "digits.h", "digits.c", "digits_kernels.c", "digits_weights.c", "CMakeLists.txt", "report.json", "memory.svg",
        "digits.twin.onnx", "reference.npz",
    }  # fmt: skip
    assert promised <= set(one)
    assert one == two
    assert not any(str(tmp_path).encode() in content for content in one.values())


def test_reference_npz_is_what_the_network_answers(tmp_path: Path) -> None:
    compile_digits(tmp_path / "out")
    data = np.load(tmp_path / "out" / "reference.npz")
    assert data["input/image"].shape == (10, 1, 1, 28, 28)
    assert data["input/image"].dtype == np.int8
    assert data["output/scores"].shape == (10, 1, 10)
    assert len(np.unique(data["output/scores"])) > 5


@needs_emulator
def test_verify_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compile_digits(tmp_path / "out")
    capsys.readouterr()
    code, result = run_json(capsys, "verify", str(tmp_path / "out"), "--per-layer")
    assert code == 0
    assert result["equal"] is True
    assert result["over_serial"] == 10
    assert result["layers_compared"] >= 10


def test_a_changed_folder_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compile_digits(tmp_path / "out")
    weights = tmp_path / "out" / "digits_weights.c"
    weights.write_text(weights.read_text().replace("1", "2", 1))
    assert main(["verify", str(tmp_path / "out")]) == 2
    assert "error[E0703]" in capsys.readouterr().err


def test_a_folder_without_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "error[E0703]" in capsys.readouterr().err


@needs_emulator
def test_verify_with_labels_reports_accuracy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = tmp_path / "few.npz"
    data = np.load(DIGITS / "test.npz")
    np.savez(few, image=data["image"][:20], y=data["y"][:20])
    options = ("--board", "qemu-m4", "--calibration", CALIBRATION, "--data", str(few))
    code, result = run_json(capsys, "verify", MODEL, *options)
    assert code == 0
    metrics = result["metrics"]["scores"]
    assert metrics["accuracy"] >= 0.9
    assert metrics["cos"] > 0.98
    assert result["samples"] == 20


@needs_emulator
def test_profile(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("profile", MODEL, "--board", "qemu-m4", "--calibration", CALIBRATION)
    code, first = run_json(capsys, *command)
    _, second = run_json(capsys, *command)
    assert code == 0
    assert first == second, "counts are exact"
    layers = sum(layer["instructions"] for layer in first["layers"])
    assert 0.98 * first["instructions"] <= layers <= first["instructions"] * 1.02


def test_missing_compiler_exits_with_3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("mcucompile.run.build.find_toolchain", raise_missing)
    command = ["verify", MODEL, "--board", "qemu-m4", "--calibration", CALIBRATION]
    assert main(command) == 3
    assert "gcc-arm-none-eabi" in capsys.readouterr().err


def raise_missing() -> None:
    from mcucompile.errors import CompileError

    raise CompileError("E0601", "no compiler for Arm was found", fix="install the package gcc-arm-none-eabi")


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_cmake_builds_the_library(tmp_path: Path) -> None:
    import subprocess

    portable = ("-O0", "--board", "qemu-m0", "--calibration", CALIBRATION)
    assert main(["compile", MODEL, *portable, "-o", str(tmp_path / "out")]) == 0
    for command in (["cmake", "-S", "out", "-B", "build"], ["cmake", "--build", "build"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "build" / "libdigits.a").is_file()
