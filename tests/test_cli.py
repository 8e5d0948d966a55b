"""The command line as a user meets it: commands, exit codes, errors."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import CALIBRATION, DIGITS, MODEL, compile_digits, run_json
from needs import needs_compiler, needs_emulator

from mcucompile import __version__
from mcucompile.cli import main
from mcucompile.errors import CODES, CompileError


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


def test_missing_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "nowhere.onnx", "--board", "qemu-m4"]) == 2
    assert "error[E0702]" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["compile", "verify", "profile", "flash"])
def test_what_is_not_there_is_said_before_what_else_is_missing(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = run_json(capsys, command, "/no/such/path")
    assert (code, answer["error"]["code"]) == (2, "E0702")
    assert answer["error"]["what"] == "there is no file or folder /no/such/path"


@pytest.mark.parametrize("kind", ["a file", "a foreign folder", "below a file"])
def test_the_place_of_the_output_is_looked_at_before_anything_is_compiled(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    folder = {"a file": mine, "a foreign folder": tmp_path, "below a file": mine / "out"}[kind]
    monkeypatch.setattr("mcucompile.api.compile", lambda *_, **__: pytest.fail("compiled all the same"))
    code, answer = run_json(capsys, "compile", MODEL, "--board", "qemu-m4", "-o", str(folder))
    assert (code, answer["error"]["code"]) == (2, "E0702")
    assert str(folder) in answer["error"]["what"]
    assert [p.name for p in tmp_path.iterdir()] == ["mine"], "nothing is left of trying"


def test_the_default_place_of_the_output_is_looked_at_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").write_text("mine")
    code, answer = run_json(capsys, "compile", MODEL, "--board", "qemu-m4")
    assert (code, answer["error"]["what"]) == (2, "digits is a file")


def test_board_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", MODEL]) == 2
    assert "--board" in capsys.readouterr().err


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
    assert result["layer_samples"] == 10
    assert "/stem/conv/Conv" in result["layers_fused"]


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
    raise CompileError("E0601", "no compiler for Arm was found", fix="install the package gcc-arm-none-eabi")


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_cmake_builds_the_library(tmp_path: Path) -> None:
    portable = ("-O0", "--board", "qemu-m0", "--calibration", CALIBRATION)
    assert main(["compile", MODEL, *portable, "-o", str(tmp_path / "out")]) == 0
    for command in (["cmake", "-S", "out", "-B", "build"], ["cmake", "--build", "build"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "build" / "libdigits.a").is_file()


def test_python_m_mcucompile() -> None:
    command = [sys.executable, "-m", "mcucompile"]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([*command, "--version"], env=paths, capture_output=True, text=True, check=True)
    assert done.stdout == f"mcucompile {__version__}\n"
    assert subprocess.run([*command, "bake"], env=paths, capture_output=True).returncode == 2


@needs_compiler
def test_a_board_that_is_not_emulated(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["verify", MODEL, "--board", "nucleo-f446re", "--calibration", CALIBRATION]
    code, result = run_json(capsys, *command)
    assert (code, result["ran"], result["equal"]) == (0, False, None)
    assert result["fit"]["board_flash_nbytes"] == 512 << 10
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "nothing was run" in text
    assert "no serial port with USB id 0483:374b" in text
    assert "524,288" in text
    assert "every byte" not in text


def test_nothing_is_written_when_the_summary_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mcucompile.show.gap_text", lambda _: 1 // 0)
    options = ["--board", "qemu-m4", "--calibration", CALIBRATION]
    assert main(["compile", MODEL, *options, "-o", str(tmp_path / "out")]) == 70
    assert not list(tmp_path.iterdir())


HANGING = """#!/bin/sh
echo $$ > "$COMPILER_STARTED"
exec sleep 600
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals and shell scripts are Unix's")
@pytest.mark.parametrize("kind", ["SIGTERM", "SIGHUP"])
def test_a_signal_leaves_nothing_behind(kind: str, tmp_path: Path) -> None:
    """While the compiler runs, which ends with it."""
    tools, work, started = tmp_path / "tools", tmp_path / "work", tmp_path / "started"
    tools.mkdir()
    work.mkdir()
    compiler = tools / "arm-none-eabi-gcc"
    compiler.write_text(HANGING)
    compiler.chmod(0o755)
    command = [sys.executable, "-m", "mcucompile.cli", "verify", MODEL, "--board", "qemu-m4", "--dtype", "float32"]
    paths = {"TMPDIR": str(work), "PYTHONPATH": str(Path(__file__).parent.parent), "COMPILER_STARTED": str(started)}
    paths["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(command, env={**os.environ, **paths}, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (started.is_file() and started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(getattr(signal, kind))
    assert process.wait(60) == 128 + getattr(signal, kind)
    assert not list(work.iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
