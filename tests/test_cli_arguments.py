"""What the command line refuses, and how sizes are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import MODEL, run_json

from mcucompile.cli import main
from mcucompile.parser import size_option


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
    for words in (["verify", ""], ["compare", "", ""], ["inspect", ""], ["boards", ""], ["explain", ""]):
        code, answer = run_json(capsys, *words)
        assert (code, answer["error"]["code"]) == (2, "E0701")


SETTLED = [["--io", "float"], ["--calibration", "x.npz"], ["-O2"], ["--ram", "64K"], ["--name", "a"], ["--prove"],
           ["--dtype", "auto"], ["--shape", "image=1,1,28,28"], ["--equalize", "on"],
           ["--dump-after", "fuse_clip"]]  # fmt: skip


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


def test_compile_asks_for_a_model_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for command, has_folder in (("compile", False), ("verify", True)):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert ("MODEL.onnx|DIR" in capsys.readouterr().out) == has_folder
