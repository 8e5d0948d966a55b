"""--ram and --flash-budget from end to end: what is refused, what is advised, what then runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from needs import needs_emulator
from test_views import network

import mcucompile
from mcucompile import lowering
from mcucompile.api import load_compiled
from mcucompile.cli import main
from mcucompile.errors import CompileError
from mcucompile.frontend.export import to_onnx
from mcucompile.lowering import lower_for
from mcucompile.options import Effort, Options
from mcucompile.target.board import Board, load_board

BOARD = "qemu-m4"


@pytest.fixture(scope="module")
def model() -> bytes:
    return to_onnx(network())


@pytest.fixture(scope="module")
def least(model: bytes) -> int:
    """The smallest arena that E0501 advises."""
    with pytest.raises(CompileError) as e:
        mcucompile.compile(model, BOARD, ram=0)
    assert e.value.code == "E0501"
    found = re.search(r"--ram ([0-9]+)", e.value.fix)
    assert found
    return int(found[1])


def test_the_advised_ram_suffices(model: bytes, least: int) -> None:
    compiled = mcucompile.compile(model, BOARD, ram=least)
    assert compiled.program.arena_nbytes <= least
    assert least < mcucompile.compile(model, BOARD).program.arena_nbytes


@needs_emulator
def test_a_tiled_network_is_written_taken_up_again_and_runs(model: bytes, least: int, tmp_path: Path) -> None:
    compiled = mcucompile.compile(model, BOARD, ram=least)
    notes = compiled.report["notes"]
    assert any("bands of rows" in note for note in notes), notes
    compiled.write(tmp_path / "net")
    again = load_compiled(tmp_path / "net")
    assert again.files == mcucompile.compile(model, BOARD, ram=least).files | {
        "report.json": again.files["report.json"]
    }
    assert again.verify(per_layer=True).ok


def test_a_flash_budget_that_nothing_keeps(model: bytes) -> None:
    with pytest.raises(CompileError) as e:
        mcucompile.compile(model, BOARD, flash_budget=0)
    assert e.value.code == "E0502"
    found = re.search(r"--flash-budget ([0-9]+)", e.value.fix)
    assert found
    compiled = mcucompile.compile(model, BOARD, flash_budget=int(found[1]))
    assert compiled.report["options"]["flash_budget"] == int(found[1])


def small_board(flash: int, ram: int | None = None) -> Board:
    given = load_board(BOARD)
    sizes = {"flash": flash, "ram": ram or given.ram_nbytes}
    return replace(given, name="small", regions=tuple(replace(r, nbytes=sizes[r.kind]) for r in given.regions))


def test_a_board_gets_smaller_kernels_where_the_fast_ones_are_too_large_for_it() -> None:
    roomy = lower_for(network(), load_board(BOARD), Options()).program
    small = lower_for(network(), small_board(roomy.flash_nbytes - 1), Options()).program
    assert small.flash_nbytes < roomy.flash_nbytes
    assert small.weight_nbytes < roomy.weight_nbytes


def test_flash_is_refused_before_bands_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    tilings: list[object] = []
    monkeypatch.setattr(lowering, "fit_by_tiling", lambda fitted, *_: tilings.append(fitted) or fitted)
    least = lower_for(network(), small_board(1 << 20), Options(effort=Effort.OS)).program.weight_nbytes
    for flash, code, searched in ((least // 2, "E0502", 0), (least, "E0501", 1)):
        with pytest.raises(CompileError) as e:
            lower_for(network(), small_board(flash, 2048), Options())
        assert (e.value.code, len(tilings)) == (code, searched)


@pytest.mark.parametrize("wrong", [-1, True, "1K"])
def test_a_flash_budget_is_a_number_of_bytes(model: bytes, wrong: object) -> None:
    with pytest.raises(CompileError) as e:
        mcucompile.compile(model, BOARD, flash_budget=wrong)
    assert e.value.code == "E0701"


def test_a_folder_has_settled_its_budget(model: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mcucompile.compile(model, BOARD).write(tmp_path / "net")
    assert main(["verify", str(tmp_path / "net"), "--flash-budget", "64K"]) == 2
    assert "--flash-budget" in capsys.readouterr().err


def test_a_folder_without_the_option_is_of_another_version(model: bytes, tmp_path: Path) -> None:
    mcucompile.compile(model, BOARD).write(tmp_path / "net")
    report = tmp_path / "net" / "report.json"
    content = json.loads(report.read_text())
    del content["options"]["flash_budget"]
    report.write_text(json.dumps(content))
    with pytest.raises(CompileError) as e:
        load_compiled(tmp_path / "net")
    assert e.value.code == "E0703"
