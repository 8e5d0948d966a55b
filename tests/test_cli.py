"""The command line as a user meets it: exit codes, JSON, tables, errors."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mcucompile import __version__
from mcucompile.cli import main
from mcucompile.errors import CODES, CompileError
from mcucompile.parser import size_option
from mcucompile.run.tools import find_tool
from mcucompile.show import shortened

DIGITS = Path(__file__).parent.parent / "examples" / "digits"
MODEL, CALIBRATION = str(DIGITS / "digits.onnx"), str(DIGITS / "calibration.npz")
needs_compiler = pytest.mark.skipif(not find_tool("arm-none-eabi-gcc"), reason="needs the Arm compiler")
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


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [("65536", 65536), ("64K", 65536), ("64k", 65536), ("64KB", 65536), ("64KiB", 65536), ("1MiB", 1 << 20), ("7B", 7)],
)
def test_sizes(text: str, nbytes: int) -> None:
    assert size_option(text) == nbytes


@pytest.mark.parametrize("text", ["", "K", "5KMK", "64iB", "-1", "1.5K", "64 K", "64KK", "٣K", "0x10"])
def test_what_is_no_size(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run_json(capsys, "compile", MODEL, "--board", "qemu-m4", f"--ram={text}")
    assert code == 2
    assert answer["error"]["code"] == "E0701"


@pytest.mark.parametrize(
    "words", [[], ["bake"], ["compile"], ["compile", MODEL, "--dtype", "int4"], ["verify", MODEL, "--timeout", "0"]]
)
def test_a_wrong_command_line_is_an_error_like_others(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run_json(capsys, *words)
    assert code == 2
    assert answer["error"]["code"] == "E0701"
    assert main(words) == 2
    assert "error[E0701]" in capsys.readouterr().err


def test_an_error_of_our_own_is_json_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("mcucompile.listing.boards", lambda: 1 // 0)
    code, answer = run_json(capsys, "boards")
    assert code == 70
    assert "ZeroDivisionError" in answer["error"]["what"]


TEXTS = {
    "compile": ["--board", "--name", "--calibration", "--passes", "--recipe", "--html", "--output"],
    "verify": ["--board", "--port", "--probe", "--drive", "--command", "--engine", "--data", "--html"],
    "profile": ["--port", "--probe", "--drive", "--command", "--engine"],
    "flash": ["--port", "--probe", "--drive", "--command", "--engine", "--mlperf"],
    "inspect": ["--board"],
}


@pytest.mark.parametrize(("command", "option"), [(c, option) for c, options in TEXTS.items() for option in options])
def test_an_empty_value_is_no_option_left_out(
    command: str, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a script gives it whose variable is not set: `verify` would pass without a board."""
    monkeypatch.setattr("mcucompile.api.compile", lambda *_, **__: pytest.fail("compiled all the same"))
    board = [] if option == "--board" else ["--board", "nucleo-f446re"]
    for words in ([option, ""], [f"{option}="]):
        code, answer = run_json(capsys, command, MODEL, *board, *words)
        assert (code, answer["error"]["code"]) == (2, "E0701")
        assert option in answer["error"]["what"]


def test_an_empty_path_is_not_this_folder(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["verify", ""], ["compare", "", ""], ["inspect", ""]):
        code, answer = run_json(capsys, *words)
        assert (code, answer["error"]["code"]) == (2, "E0701")


def test_python_m_mcucompile() -> None:
    command = [sys.executable, "-m", "mcucompile"]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([*command, "--version"], env=paths, capture_output=True, text=True, check=True)
    assert done.stdout == f"mcucompile {__version__}\n"
    assert subprocess.run([*command, "bake"], env=paths, capture_output=True).returncode == 2


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


@needs_emulator
@pytest.mark.filterwarnings("ignore:invalid value")
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


SETTLED = [["--io", "float"], ["--calibration", "x.npz"], ["-O2"], ["--ram", "64K"], ["--name", "a"], ["--prove"],
           ["--dtype", "auto"], ["--shape", "image=1,1,28,28"], ["--equalize", "on"]]  # fmt: skip


@pytest.mark.parametrize("command", ["verify", "profile"])
@pytest.mark.parametrize("options", SETTLED, ids=lambda options: options[0])
def test_a_folder_has_settled_compiles_options(
    command: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = run_json(capsys, command, str(tmp_path), *options)
    assert code == 2
    assert answer["error"]["code"] == "E0701"
    assert options[0] in answer["error"]["what"]


def test_a_folder_is_not_compiled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(tmp_path), "--board", "qemu-m4"]) == 2
    assert "error[E0701]" in capsys.readouterr().err


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


def test_compile_asks_for_a_model_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for command, has_folder in (("compile", False), ("verify", True)):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert ("MODEL.onnx|DIR" in capsys.readouterr().out) == has_folder


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


def test_nothing_is_written_when_the_summary_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mcucompile.show.gap_text", lambda _: 1 // 0)
    options = ["--board", "qemu-m4", "--calibration", CALIBRATION]
    assert main(["compile", MODEL, *options, "-o", str(tmp_path / "out")]) == 70
    assert not list(tmp_path.iterdir())


def test_the_summary_names_the_weakest_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compile_digits(tmp_path / "out")
    text = " ".join(capsys.readouterr().out.split())
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    alone = {layer["alone"]: layer["source"] for layer in report["quantization"]["layers"] if layer["alone"]}
    assert f"'{' + '.join(alone[min(alone)])}', {min(alone):.1f} dB" in text


@needs_emulator
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(kind: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mcucompile.cli", "verify", MODEL, "--board", "qemu-m4", "--dtype", "float32"]
    paths = {"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen(command, env={**os.environ, **paths}, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.o")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None
    process.send_signal(kind)
    assert process.wait(60) == 128 + kind
    assert not list(tmp_path.iterdir())
