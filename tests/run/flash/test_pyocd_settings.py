"""A pyocd.yaml that happens to be in the folder: what is wrong in it is said, and nothing is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs import job

from mcucompile.errors import CompileError
from mcucompile.run.flash import pyocd
from mcucompile.run.flash.pyocd_settings import check_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder / "pyocd.yaml"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"pack: [1\n", "line 2"),
        (b"a: b: c\n", "line 1"),
        (b"a: \xff\xfe\n", "utf-8"),
        (b"- frequency\n", "`option: value`"),
        (b"probes: 3\n", "`probes`"),
        (b"probes: {a: 3}\n", "`probes`"),
        (b"pack: nowhere.pack\n", "nowhere.pack"),
        (b"pack: 3\n", "pack: 3"),
    ],
)
def test_what_is_wrong_is_said(settings: Path, tmp_path: Path, text: bytes, problem: str) -> None:
    settings.write_bytes(text)
    with pytest.raises(CompileError) as caught:
        pyocd.program(job(tmp_path, "nucleo-f446re"))
    error = caught.value
    assert (error.code, error.where, error.exit_code) == ("E0702", str(settings), 2)
    assert problem in error.why and "cable" not in error.fix


@pytest.mark.parametrize(
    "text", ["", "frequency: 1000000\n", "probes:\n  066AFF:\n    frequency: 100000\n", "probes:\n"]
)
def test_good_settings(settings: Path, text: str) -> None:
    settings.write_text(text)
    check_settings()


def test_settings_in_the_folder_that_pyocd_is_told_of(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.write_text("[")
    monkeypatch.setenv("PYOCD_PROJECT_DIR", str(tmp_path))
    check_settings()
    (tmp_path / ".pyocd.yml").write_text("[")
    with pytest.raises(CompileError) as caught:
        check_settings()
    assert caught.value.where == str(tmp_path / ".pyocd.yml")
