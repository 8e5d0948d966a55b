"""Options of the command line that are about real boards, and what it shows while one is programmed."""

from __future__ import annotations

import io
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from small_network import small_network

from mcucompile.api import Compiled
from mcucompile.cli import run_command
from mcucompile.connection import check_port, how_of, not_found, port_of
from mcucompile.errors import CompileError
from mcucompile.output import progress_bars
from mcucompile.parser import parser
from mcucompile.run import ports
from mcucompile.target.board import load_board

OF_REAL_BOARDS = [["--no-flash"], ["--probe", "066B"], ["--engine", "pyocd"], ["--drive", "x"], ["--command", "x"]]


@pytest.fixture(scope="module")
def small() -> Compiled:
    return small_network()


@pytest.mark.parametrize("name", ["nucleo-f446re", "netduino-plus-2", "microbit-v1"])
@pytest.mark.parametrize("option", OF_REAL_BOARDS, ids=lambda option: option[0])
@pytest.mark.parametrize("command", ["verify", "profile"])
def test_options_of_a_real_board_need_one(
    command: str, option: list[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the board could be emulated."""
    board = load_board(name)
    monkeypatch.setattr(ports, "usb_ports", list)
    assert port_of(parser().parse_args([command, "out"]), board) is None
    with pytest.raises(CompileError, match="E0610"):
        port_of(parser().parse_args([command, "out", *option]), board)
    assert port_of(parser().parse_args([command, "out", *option, "--port", "/dev/x"]), board) == "/dev/x"


@pytest.mark.parametrize("option", OF_REAL_BOARDS, ids=lambda option: option[0])
def test_an_emulator_is_not_flashed(option: list[str]) -> None:
    board = load_board("qemu-m4")
    with pytest.raises(CompileError, match="E0701") as caught:
        port_of(parser().parse_args(["verify", "out", *option]), board)
    assert option[0] in caught.value.what and "qemu-m4" in caught.value.what


@pytest.mark.parametrize("command", ["flash", "verify", "profile"])
def test_options_that_the_engine_does_not_use_are_refused(command: str) -> None:
    words = [command, "out", "--engine", "pyocd", "--command", "tool {elf}"]
    with pytest.raises(CompileError, match="--command is not for the engine pyocd"):
        how_of(parser().parse_args(words), load_board("nucleo-f446re"))


@pytest.mark.parametrize("option", OF_REAL_BOARDS[1:], ids=lambda option: option[0])
def test_what_never_programs_takes_no_option_of_programming(option: list[str]) -> None:
    board = load_board("nucleo-f446re")
    assert how_of(parser().parse_args(["verify", "out", "--no-flash"]), board) is None
    with pytest.raises(CompileError, match="E0701") as caught:
        how_of(parser().parse_args(["verify", "out", "--no-flash", *option]), board)
    assert option[0] in caught.value.what and "--no-flash" in caught.value.what


def test_a_board_that_is_plugged_in_is_found_where_an_option_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("microbit-v1")
    monkeypatch.setattr(ports, "usb_ports", lambda: [ports.UsbPort("/dev/ttyACM0", board.usb[0], "", "")])
    assert port_of(parser().parse_args(["verify", "out"]), board) is None, "the emulator"
    assert port_of(parser().parse_args(["verify", "out", "--engine", "pyocd"]), board) == "/dev/ttyACM0"


NO_PORT = ("--port", "/dev/no-such-port")
MISTAKES = [
    ("verify", "nucleo-f446re", NO_PORT, "E0609"),
    ("profile", "nucleo-f446re", NO_PORT, "E0609"),
    ("profile", "nucleo-f446re", (), "E0303"),
    ("verify", "qemu-m4", NO_PORT, "E0609"),
    ("flash", "blue-pill", ("--engine", "stm32-uart", *NO_PORT), "E0609"),
    ("flash", "blue-pill", ("--engine", "stm32-uart"), "E0610"),
    ("verify", "nucleo-f446re", ("--no-flash",), "E0610"),
    ("verify", "qemu-m4", ("--engine", "pyocd"), "E0701"),
    ("verify", "nucleo-f446re", ("--drive", "x"), "E0810"),
    ("profile", "nucleo-f446re", ("--engine", "openocd", "--drive", "x"), "E0701"),
    ("flash", "nucleo-f446re", ("--engine", "uf2"), "E0810"),
    ("flash", "nucleo-f446re", ("--command", "tool"), "E0701"),
    ("flash", "qemu-m4", (), "E0810"),
]


@pytest.mark.parametrize(("command", "name", "words", "code"), MISTAKES, ids=lambda x: x if isinstance(x, str) else "")
@pytest.mark.parametrize("kind", ["model", "folder"])
def test_mistakes_are_told_before_anything_is_compiled(
    kind: str, command: str, name: str, words: tuple[str, ...], code: str, small: Compiled, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A large network takes a minute; a folder knows its board."""
    small.for_board(name).write(tmp_path / "out")
    (tmp_path / "small.onnx").write_bytes(b"")
    given = [str(tmp_path / "out")] if kind == "folder" else [str(tmp_path / "small.onnx"), "--board", name]
    for function in ("compile", "load_compiled"):
        monkeypatch.setattr(f"mcucompile.api.{function}", lambda *_, **__: pytest.fail("compiled all the same"))
    monkeypatch.setattr(ports, "usb_ports", list)
    with pytest.raises(CompileError) as e:
        run_command([command, *given, *words], as_json=False)
    assert e.value.code == code


def test_what_a_url_names_is_not_asked_before() -> None:
    check_port("socket://localhost:1")


def test_what_was_looked_for_is_told() -> None:
    board = load_board("nucleo-f446re")
    assert "no serial port with USB id 0483:374b" in not_found(board)
    assert "adapter" in not_found(replace(board, usb=()))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def shows(self, *patterns: str) -> str:
        """What is written from now on until all patterns were in it, without the terminal's control sequences."""
        self.truncate(self.seek(0))
        text, end = "", time.monotonic() + 30.0
        while not all(re.search(p, text) for p in patterns) and time.monotonic() < end:
            time.sleep(0.05)
            text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.getvalue())
        assert all(re.search(p, text) for p in patterns), (patterns, text)
        return text


WHEEL = "[\u2800-\u28ff]"


def test_a_line_moves_while_a_step_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress_bars(Console(), "building") as bar:
        terminal.shows("building")
        bar("programming")(0, 0)
        assert "building" not in terminal.shows(rf"({WHEEL}) programming .*0/\?(?s:.)*(?!\1){WHEEL} programming")
        bar("programming")(3, 4)
        terminal.shows("3/4")
        bar("programming")(4, 4)
        bar("verifying")(0, 4)
        terminal.shows(f"{WHEEL} verifying .*0/4")
