"""What `inspect` says of a model: the file's own operators, and sizes that a compilation bears out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import onnx
import pytest

from mcucompile import api, listing
from mcucompile.cli import main
from mcucompile.errors import CompileError
from mcucompile.target.board import list_boards, load_board

MODELS = Path(__file__).parent / "models"
DIGITS = Path(__file__).parent.parent / "examples" / "digits"
FLOAT, QDQ = DIGITS / "digits.onnx", MODELS / "classifier_qdq_int8.onnx"
BOARD = load_board("qemu-m4")


@pytest.mark.parametrize("path", [FLOAT, *sorted(MODELS.glob("classifier*.onnx"))], ids=lambda p: p.stem)
def test_operators_are_those_of_the_file(path: Path) -> None:
    found, model = listing.inspect(path, {}, None), onnx.load(path)
    assert found["operators"] == Counter(n.op_type for n in model.graph.node)
    assert found["opset"] == model.opset_import[0].version


def test_sizes_of_constants() -> None:
    """By the file: weights have two dimensions or more, everything else becomes a bias per output channel."""
    weights = [i for i in onnx.load(FLOAT).graph.initializer if len(i.dims) > 1]
    count = sum(int(onnx.numpy_helper.to_array(i).size) for i in weights)
    channels = sum(w.dims[0] if has_outputs_first(w.name) else w.dims[-1] for w in weights)
    found = listing.inspect(FLOAT, {}, None)
    assert found["int8_constants"] == count + 4 * channels
    assert found["float_constants"] == 4 * (count + channels)


def has_outputs_first(weight: str) -> bool:
    reader = next(n for n in onnx.load(FLOAT).graph.node if weight in n.input)
    return reader.op_type == "Conv" or any(a.name == "transB" and a.i for a in reader.attribute)


@pytest.mark.parametrize("path", [FLOAT, QDQ], ids=["float", "quantized"])
def test_fit_is_about_what_a_compilation_needs(path: Path) -> None:
    calibration = DIGITS / "calibration.npz" if path == FLOAT else None
    program = api.compile(path, BOARD, calibration=calibration).program
    found = listing.inspect(path, {}, BOARD)["fit"]
    assert found["dtype"] == "int8"
    assert found["fits"] is True
    assert found["arena_about"] == pytest.approx(program.arena_nbytes, rel=0.05)
    assert found["constants_about"] == pytest.approx(program.weight_nbytes, rel=0.05)


def limited(folder: Path, old: str, new: str) -> str:
    text = (Path(__file__).parent.parent / "boards" / "qemu-m4.toml").read_text()
    head, _, tail = text.partition(old)
    size = tail.split("size = ", 1)[1].split("\n", 1)[0]
    (folder / "small.toml").write_text(head + old + tail.replace(f"size = {size}", f"size = {new}", 1))
    return str(folder / "small.toml")


@pytest.mark.parametrize("region", ["[memory.ram]", "[memory.flash]"])
def test_what_does_not_fit_is_said_and_is_no_error(
    region: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = limited(tmp_path, region, "4000")
    assert main(["inspect", str(FLOAT), "--board", board]) == 0
    said = capsys.readouterr().out
    assert "does NOT fit small" in said
    assert "about" in said
    assert "at least" not in said
    assert main(["inspect", str(FLOAT), "--board", board, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fit"]["fits"] is False


def test_a_board_takes_one_line_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    shown = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    for name in list_boards():
        assert len(shown[name]) >= 6
    assert shown["nucleo-l4r5zi"] == ["M4F", "120", "2,048", "640", "pyocd", "openocd", "stm32-uart", "links"]
    assert shown["microbit-v1"] == ["M0", "16", "256", "16", "pyocd", "openocd", "emulated"]
    assert "1,024 bytes" in " ".join(lines) and "engine" in " ".join(lines)


@pytest.mark.parametrize("name", list_boards())
def test_what_was_tested_has_a_word(name: str) -> None:
    board = load_board(name)
    assert listing.tried(board) in ("emulated", "links")
    assert (listing.tried(board) == "links") == ("links" in board.tested)


def test_all_that_is_known_of_a_board(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["boards", "arduino-nano-33-ble", "nucleo-h743zi", "qemu-m4"]) == 0
    text = capsys.readouterr().out
    told = (
        *("Arduino Nano 33 BLE", "960 KB at 0x00010000", "press reset twice", "P1.03", "command, pyocd", "nrf52840"),
        *("0483:374b", "ram (axi_sram)", "PD8", "mps2-an386", "never run on the hardware"),
    )
    assert [part for part in told if part not in text] == []
    assert main(["boards", "nucleo-h743zi", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["serial"] == {"baud": 115200, "tx": "PD8", "rx": "PD9"}
    assert {r["name"]: r["bytes"] for r in found["memory"]}["axi_sram"] == 512 * 1024
    assert main(["boards", "toaster"]) == 2


def test_unsupported_nodes_exit_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(FLOAT)
    model.graph.node[0].op_type = "Einsum"
    onnx.save(model, tmp_path / "odd.onnx")
    assert main(["inspect", str(tmp_path / "odd.onnx"), "--board", "qemu-m4"]) == 2
    assert "Einsum" in capsys.readouterr().out


def test_a_network_that_random_inputs_cannot_quantize_is_measured_in_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = listing.prepare

    def picky(*args: Any) -> Any:
        if args[3] is not None:
            raise CompileError("E0202", "overflow")
        return prepare(*args)

    monkeypatch.setattr(listing, "prepare", picky)
    found = listing.inspect(FLOAT, {}, BOARD)["fit"]
    assert found["dtype"] == "float32"
    assert found["arena_about"] == api.compile(FLOAT, BOARD, dtype="float32").program.arena_nbytes


def test_a_folder_is_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "error[E0702]" in said
    assert "is a folder" in said


def test_operators_of_quantized_files_are_listed() -> None:
    rows = {row["operator"]: row["ONNX"].split(", ") for row in listing.operators()}
    assert {"QuantizeLinear", "Quant", "BipolarQuant", "Trunc"} <= set(rows["quantize"])
    assert rows["dequantize"] == ["DequantizeLinear"] and "Sign" in rows["sign"]
    assert len([row for row in listing.passes() if row["pass"] == "quantize_results"]) == 1
