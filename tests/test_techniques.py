"""The benchmark of compression techniques, on what takes seconds."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from needs import needs_emulator

from mcucompile.errors import CompileError
from mcucompile.recipe import parse_recipe

FOLDER = Path(__file__).parents[1] / "benchmarks"
OF_KIND = {"P": (1, 2, 3, 4, 5, 6, 9, 10, 11), "Q": range(1, 11), "L": range(1, 7)}
ROWS = {f"{kind}{number}" for kind, numbers in OF_KIND.items() for number in numbers}


@pytest.fixture
def techniques(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    import techniques

    return techniques


class Rows:
    """Stands for what measures a row: rows in `broken` fail, those in `differing` have wrong bytes on one board."""

    def __init__(self, module: ModuleType, broken: tuple[str, ...] = (), differing: tuple[str, ...] = ()) -> None:
        self.module, self.broken, self.differing = module, broken, differing

    def measured(self, t: Any, folders: Any) -> Any:
        if t.row in self.broken:
            raise CompileError("E0206", "no layer fits")
        side = self.module.Compiled(1000, 800, 500, dict.fromkeys(self.module.COUNTED, 4000), 0.75)
        equal = {board: not (t.row in self.differing and board == "qemu-m7") for board in self.module.BOARDS}
        return self.module.Outcome(t, 17, side, side, 0.8, 10, equal)


def run(module: ModuleType, *arguments: str) -> int:
    return int(module.main(["--models", "nowhere", "--data", "nowhere", *arguments]))


def test_every_technique_has_a_row(techniques: ModuleType) -> None:
    assert {t.row for t in techniques.techniques()} == ROWS


def test_recipes_parse_and_networks_are_known(techniques: ModuleType) -> None:
    for t in techniques.techniques():
        assert bool(parse_recipe(t.passes).requests) == bool(t.passes), t
        assert t.network in techniques.CASES or t.network in techniques.OWN, t
        assert t.passes or t.before, t  # else a network is compared with itself


def test_own_networks_are_here_with_their_data(techniques: ModuleType) -> None:
    for name, case in techniques.OWN.items():
        folders = techniques.Folders(Path("nowhere"), Path("nowhere"), 7).of(name)
        assert (folders.models / f"{name}.onnx").is_file()
        assert len(case.calibration_inputs(folders.data)) >= 50
        inputs, labels = techniques.test_set(case, folders)
        assert len(inputs) == len(labels) == 7


def test_an_unknown_row_is_refused(techniques: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        run(techniques, "P1", "P99")
    assert refusal.value.code == 2
    message = capsys.readouterr().err
    assert "no row P99;" in message and "P1, P2, P3" in message and "L6" in message


def test_a_row_that_fails_leaves_the_others(
    techniques: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(techniques, "measured", Rows(techniques, broken=("P3",)).measured)
    assert run(techniques, "P2", "P3", "P4", "--json", str(tmp_path / "found.json")) == 1
    out, err = capsys.readouterr()
    assert [o["technique"]["row"] for o in json.loads((tmp_path / "found.json").read_text())] == ["P2", "P4"]
    assert "compression techniques" in out and "Srinivas" in out and "Li et al." not in out
    assert "P3 filters (mlperf_kws_dscnn_f32) failed: error[E0206]: no layer fits" in err
    assert "P2" not in err and "P4" not in err


def test_all_rows_may_fail(techniques: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(techniques, "measured", Rows(techniques, broken=("P3",)).measured)
    assert run(techniques, "P3", "--json", str(tmp_path / "found.json")) == 1
    assert json.loads((tmp_path / "found.json").read_text()) == []


def test_networks_that_are_missing_are_a_failure(techniques: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(techniques, "P2", "P3") == 1
    err = capsys.readouterr().err
    assert "P2 neurons" in err and "P3 filters" in err


def test_nothing_to_measure_is_a_failure(techniques: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(techniques, "techniques", list)
    assert run(techniques) == 1


def test_bytes_that_differ_are_a_failure(
    techniques: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(techniques, "measured", Rows(techniques, differing=("P4",)).measured)
    assert run(techniques, "P2", "P4") == 1
    out, err = capsys.readouterr()
    assert "differ from the reference's on qemu-m7" in err and "P2" not in err
    assert "5 of 6" in out and "6 of 6" in out


def test_the_table_has_a_figure_for_each_column(techniques: ModuleType) -> None:
    outcome = Rows(techniques).measured(techniques.techniques()[0], None)
    line = techniques.line(outcome)
    assert len(line) == len(techniques.COLUMNS)
    assert dict(zip(techniques.COLUMNS, line, strict=True))["changed"] == 17


def test_rows_that_work_are_a_success(techniques: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(techniques, "measured", Rows(techniques).measured)
    assert run(techniques) == 0


@needs_emulator
def test_a_recipe_on_the_repositorys_own_network(techniques: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(techniques, "COUNTED", ("qemu-m4",))
    monkeypatch.setattr(techniques, "BOARDS", ("qemu-m4",))
    row = techniques.Technique("P1", "single weights", "binary", "prune_weights=0.5+criterion:magnitude@scores")
    outcome = techniques.measured(row, techniques.Folders(Path("nowhere"), Path("nowhere"), 50))
    assert outcome.changed == 1  # one layer is named
    assert outcome.samples == 50
    assert outcome.float_accuracy > 0.9 and outcome.before.accuracy > 0.9
    assert outcome.equal == {"qemu-m4": True}
    found = json.loads(json.dumps(techniques.as_json(outcome)))
    assert found["alpha"] == found["before"]["flash"] / found["after"]["flash"]
    counts = [found[side]["instructions"]["qemu-m4"] for side in ("before", "after")]
    assert found["delta"] == {"qemu-m4": counts[0] / counts[1]}
