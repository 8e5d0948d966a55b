"""What the command line prints: JSON and nothing else for machines, names as they are for people."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from command_line import MODEL, compile_digits, run_json
from needs import needs_emulator
from onnx import TensorProto, helper

from mcucompile.cli import main
from mcucompile.show import shortened


@pytest.mark.parametrize("command", ["boards", "ops", "passes"])
def test_listings(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, rows = run_json(capsys, command)
    assert code == 0
    assert len(rows) > 5
    assert main([command]) == 0
    table = capsys.readouterr().out
    assert all(str(next(iter(row.values()))) in table for row in rows)


def test_errors_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run_json(capsys, "compile", MODEL, "--board", "toaster")
    assert code == 2
    assert answer["error"]["code"] == "E0301"
    assert "qemu-m4" in answer["error"]["why"] and "board file" in answer["error"]["fix"]


def test_an_error_of_our_own_is_json_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("mcucompile.listing.boards", lambda: 1 // 0)
    code, answer = run_json(capsys, "boards")
    assert code == 70
    assert "ZeroDivisionError" in answer["error"]["what"]


@pytest.mark.parametrize(
    ("words", "stream"),
    [(["ops"], "stdout"), (["ops", "--json"], "stdout"), (["explain", "E9999", "--json"], "stdout"),
     (["inspect", MODEL, "--json"], "stderr")],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)  # fmt: skip
def test_a_reader_who_has_enough_is_no_failed_comparison(words: list[str], stream: str) -> None:
    """`| head`: 1 would mean that a value differs."""
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    reader, writer = os.pipe()
    os.close(reader)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writer}
    done = subprocess.run([sys.executable, "-m", "mcucompile", *words], env=paths, **streams)
    os.close(writer)
    assert done.returncode == 128 + signal.SIGPIPE
    assert b"BrokenPipeError" not in (done.stderr or b"")


FULL_DEVICE = Path("/dev/full")


@pytest.mark.skipif(not FULL_DEVICE.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words", [["ops"], ["ops", "--json"], ["inspect", MODEL, "--json"]], ids=" ".join)
@pytest.mark.parametrize("full", ["stdout", "both"])
def test_a_full_disk_is_the_users_to_mend(words: list[str], full: str) -> None:
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    paths.pop("PYTHONUNBUFFERED", None)
    with FULL_DEVICE.open("w") as device:
        stderr = device if full == "both" else subprocess.PIPE
        command = [sys.executable, "-m", "mcucompile", *words]
        done = subprocess.run(command, env=paths, stdout=device, stderr=stderr, text=True)
    assert done.returncode == 2
    assert full == "both" or done.stderr.count("error[E0702]: no space is left") == 1
    assert "Traceback" not in (done.stderr or "")


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), FileNotFoundError(2, "No usable temporary directory")]
)
def test_temporary_files_without_space(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("mcucompile.listing.inspect", refuse)
    code, answer = run_json(capsys, "inspect", MODEL)
    assert (code, answer["error"]["code"]) == (2, "E0702")
    assert "TMPDIR" in answer["error"]["fix"]


@pytest.mark.skipif(not FULL_DEVICE.exists(), reason="only Linux has a device that is always full")
def test_an_answer_needs_no_room_for_what_is_said_beside_it() -> None:
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with FULL_DEVICE.open("w") as device:
        command = [sys.executable, "-m", "mcucompile", "inspect", "nowhere.onnx", "--json"]
        done = subprocess.run(command, env=paths, stdout=subprocess.PIPE, stderr=device, text=True)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "E0702")


@pytest.mark.skipif(sys.platform == "win32", reason="closes the stream with the shell of Unix")
@pytest.mark.parametrize(("words", "code"), [("ops --json", 0), ("boards", 0), ("inspect nowhere.onnx", 2)])
def test_an_output_that_is_closed(words: str, code: int) -> None:
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = f'"{sys.executable}" -m mcucompile {words} >&-'
    paths |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # tables have lines
    done = subprocess.run(command, shell=True, env=paths, stderr=subprocess.PIPE, text=True)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


@needs_emulator
def test_json_has_no_words_for_what_is_not_finite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """3e38 times 10 is infinite in float32; a difference of infinities is no number."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy")
    large = helper.make_tensor("large", TensorProto.FLOAT, [1], [3e38])
    graph = helper.make_graph([helper.make_node("Mul", ["x", "large"], ["y"])], "g", [x], [y], [large])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "large.onnx")
    np.savez(tmp_path / "data.npz", x=np.full((2, 1, 4), 10, np.float32))
    words = [str(tmp_path / "large.onnx"), "--board", "qemu-m4", "--dtype", "float32"]
    assert main(["verify", *words, "--data", str(tmp_path / "data.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert found["equal"] is True
    assert found["metrics"]["y"]["rmse"] is None
    assert found["metrics"]["y"]["agreement"] == 1.0


@needs_emulator
def test_floats_are_not_said_to_be_equal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", MODEL, "--board", "qemu-m4", "--dtype", "float32"]) == 0
    text = capsys.readouterr().out
    assert "every byte" not in text
    assert "ULP of the reference" in text


NAMES = ("[/x]", "[bold]a", ":apple:", "\x1b[31mred")


@pytest.fixture
def oddly_named(tmp_path: Path) -> Path:
    nodes = [helper.make_node("Tanh", [f"x{i}"], [f"x{i + 1}"], name) for i, name in enumerate(NAMES)]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 8]) for n in ("x0", f"x{len(NAMES)}"))
    graph = helper.make_graph(nodes, "g", [x], [y])
    path = tmp_path / "odd.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_names_are_printed_in_one_line() -> None:
    assert shortened("a\n b\t\tc") == "a b c"
    assert shortened("a\n" * 30, 9) == "a … a a a"


def test_names_are_printed_as_they_are(oddly_named: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--board", "qemu-m4", "--dtype", "float32"]
    assert main(["compile", str(oddly_named), *options, "-o", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in NAMES[:3])
    assert "\x1b" not in text


@needs_emulator
def test_names_are_verified_as_they_are(oddly_named: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [str(oddly_named), "--board", "qemu-m4", "--dtype", "float32"]
    assert main(["verify", *options, "--per-layer"]) == 0
    assert main(["profile", *options]) == 0
    assert NAMES[0] in capsys.readouterr().out


def test_the_summary_names_the_weakest_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compile_digits(tmp_path / "out")
    text = " ".join(capsys.readouterr().out.split())
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    layers = [layer for layer in report["quantization"]["layers"] if layer["alone"]]
    weakest = min(layers, key=lambda layer: layer["alone"])
    found = re.search(rf"{weakest['op']} '(.+)', {weakest['alone']:.1f} dB", text)
    assert found is not None
    assert text.count(f" {found[1]} ") == 1, "in the table, too, where it is called the same"
    assert weakest["source"][0].endswith(found[1].split(" + ")[0].replace(": ", "/"))
