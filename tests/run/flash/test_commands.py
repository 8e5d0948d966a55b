"""`mcucompile flash` and `verify --port` as a user meets them, with an emulated board at the other end."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from machine import EmptyMachine
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from mcucompile.cli import INTERRUPTED, main
from mcucompile.parser import FIXED_BY_A_FOLDER, parser
from mcucompile.resources import folder
from mcucompile.run import flash as flashing
from mcucompile.target.board import Board

DIGITS = Path(__file__).parents[3] / "examples" / "digits"
MODEL = (str(DIGITS / "digits.onnx"), "--dtype", "float32")


@pytest.fixture(scope="module")
def written(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `compile` wrote for the board, whose file lies beside it."""
    place = tmp_path_factory.mktemp("written")
    text = (folder("boards") / "qemu-m4.toml").read_text()
    assert board.flashing is not None
    table = f'\n[flash]\nengine = "pyocd"\ntarget = "{board.flashing.target}"\n'
    (place / "flashed.toml").write_text(text + table)
    words = ["--board", str(place / "flashed.toml"), "--calibration", str(DIGITS / "calibration.npz")]
    assert main(["compile", str(DIGITS / "digits.onnx"), *words, "-o", str(place / "out")]) == 0
    return place


def said(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def commands_in(text: str) -> list[str]:
    """Lines to be pasted into a shell, to which nothing in them may mean anything but words."""
    found = [line.strip() for line in text.splitlines() if line.strip().startswith("mcucompile ")]
    for line in found:
        assert shlex.join(shlex.split(line)) == line
    return found


def test_flash_then_verify(machine: EmptyMachine, written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = ("--board", str(written / "flashed.toml"))
    assert main(["flash", str(written / "out"), *board]) == 0
    text = capsys.readouterr().out
    assert "bytes programmed, after erasing" in text
    assert "read back, and equal" in text
    (line,) = commands_in(text)
    assert line.startswith(f"mcucompile verify {written / 'out'} --board ")
    found = said(capsys, 0, "verify", str(written / "out"), *board, "--port", machine.url, "--no-flash")
    assert found["equal"] is True
    assert found["flashed"] is None
    assert f"SHA-256 {found['elf_sha256']}" in text, "the program that was flashed is the one that was verified"


def test_what_to_verify_is_the_network_that_was_flashed(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All options that make the network what it is are said again, so that the line can be pasted."""
    words = ["--board", str(written / "flashed.toml"), "-Os", "--shape", "image=1,1,28,28"]
    words += ["--calibration", str(DIGITS / "calibration.npz"), "--ram", "64K", "--passes", "prune_weights=0.5@*conv*"]
    capsys.readouterr()
    flashing = ["flash", str(DIGITS / "digits.onnx"), *words, "--command", "test -s {bin}"]
    assert main([*flashing, "--dump-after", "fuse_clip"]) == 0
    (line,) = commands_in(capsys.readouterr().out)
    given = parser().parse_args(["verify", str(DIGITS / "digits.onnx"), *words])
    repeated = parser().parse_args(shlex.split(line.removeprefix("mcucompile ")))
    assert repeated.port == "PORT"
    for key in ("command", "model", "board", "effort", *FIXED_BY_A_FOLDER):
        assert getattr(repeated, key) == getattr(given, key), key


def test_of_a_command_only_its_end_is_known(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["flash", str(written / "out"), "--board", str(written / "flashed.toml")]
    capsys.readouterr()
    assert main([*words, "--command", "test -s {bin}"]) == 0
    text = capsys.readouterr().out
    assert " bytes handed to the command, which ended with 0, in " in text
    assert "programmed" not in text
    assert said(capsys, 2, *words, "--command", "echo hi")["error"]["code"] == "E0701"


def test_a_board_that_is_only_emulated(compiler: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 2, "flash", *MODEL, "--board", "qemu-m4")["error"]["code"] == "E0810"


def test_interrupted(written: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(job: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(flashing.PROGRAM, "pyocd", interrupt)  # type: ignore[arg-type]
    assert main(["flash", str(written / "out"), "--board", str(written / "flashed.toml")]) == INTERRUPTED
    assert capsys.readouterr().err.strip() == "interrupted"


def test_ports_are_named_where_none_is_the_boards(
    compiler: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = ListPortInfo("/dev/ttyUSB7")
    adapter.vid, adapter.pid = 0x0403, 0x6001
    monkeypatch.setattr(list_ports, "comports", lambda: [adapter])
    found = said(capsys, 0, "verify", *MODEL, "--board", "nucleo-f446re")
    assert found["ran"] is False
    assert any("/dev/ttyUSB7" in note for note in found["notes"])
    first, second = ListPortInfo("/dev/ttyACM0"), ListPortInfo("/dev/ttyACM1")
    for port in (first, second):
        port.vid, port.pid = 0x0483, 0x374B
    monkeypatch.setattr(list_ports, "comports", lambda: [first, second])
    error = said(capsys, 2, "verify", *MODEL, "--board", "nucleo-f446re")["error"]
    assert error["code"] == "E0610"
    assert "/dev/ttyACM0" in error["why"] and "/dev/ttyACM1" in error["why"]
