"""Writing an output folder: whole or not at all, and never at the cost of what somebody else put there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcucompile.errors import CompileError
from mcucompile.files import write_folder


def output(**contents: bytes) -> dict[str, bytes]:
    """Files as a compilation makes them, with their report."""
    names = [f"{stem}.c" for stem in contents]
    report = {"mcucompile": "0", "files": [*names, "report.json"]}
    return {**dict(zip(names, contents.values(), strict=True)), "report.json": json.dumps(report).encode()}


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(folder: Path) -> CompileError:
    """The error, after which everything is as it was."""
    before = content(folder) if folder.is_dir() else {}
    with pytest.raises(CompileError) as e:
        write_folder(folder, output(new=b"new"))
    assert e.value.code == "E0702"
    assert (content(folder) if folder.is_dir() else {}) == before
    assert not list(folder.parent.glob(f".{folder.name}.*")), "nothing temporary is left"
    return e.value


def test_an_earlier_output_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    write_folder(folder, output(one=b"1", two=b"2"))
    write_folder(folder, output(three=b"3"))
    assert content(folder) == output(three=b"3")
    assert [p.name for p in folder.parent.iterdir()] == ["out"]


def test_pages_stay_when_an_output_is_replaced(tmp_path: Path) -> None:
    folder, page = tmp_path / "out", b'<meta name="generator" content="mcucompile 0">'
    write_folder(folder, {**output(one=b"1"), "report.json": b'{"mcucompile": "0", "files": ["report.json", "d/x.c"]}'})
    pages = {"a.html": page + b"a", "d/b.html": page + b"b", "pages/c.html": page, "pages/old/d.html": page}
    (folder / "one.c").unlink()
    (folder / "d").mkdir()
    (folder / "pages" / "old").mkdir(parents=True)
    for name, text in pages.items():
        (folder / name).write_bytes(text)
    (folder / "d" / "x.c").write_bytes(b"")
    write_folder(folder, output(three=b"3"))
    assert content(folder) == {**output(three=b"3"), **pages}


@pytest.mark.parametrize("beside", ["a file", "an empty folder", "a link to a folder"])
def test_a_folder_of_pages_and_more_is_not_lost(tmp_path: Path, beside: str) -> None:
    folder, page = tmp_path / "out", b'<meta name="generator" content="mcucompile 0">'
    write_folder(folder, output(one=b"1"))
    (folder / "pages").mkdir()
    (folder / "pages" / "a.html").write_bytes(page)
    if beside == "an empty folder":
        (folder / "pages" / "empty").mkdir()
    elif beside == "a file":
        (folder / "pages" / "notes.txt").write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "a.html").write_bytes(page)
        (folder / "pages" / "linked").symlink_to(tmp_path / "elsewhere")
    assert "pages" in refused(folder).why


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_folder(tmp_path / "out", output(one=b"1"))
    assert content(tmp_path / "out") == output(one=b"1")


@pytest.mark.parametrize("name", ["notes.txt", "build/cache", "one.c~"])
def test_files_added_to_an_earlier_output_are_not_lost(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    write_folder(folder, output(one=b"1"))
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("mine")
    assert Path(name).parts[0] in refused(folder).why


REPORTS = {
    "another program's": {"files": ["thesis.tex", "report.json"]},
    "without a list": {"mcucompile": "0"},
    "with an odd list": {"mcucompile": "0", "files": 7},
    "no table": ["mcucompile", "files"],
}


@pytest.mark.parametrize("kind", REPORTS)
def test_a_report_that_is_none_gives_no_leave(tmp_path: Path, kind: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    (tmp_path / "out" / "report.json").write_text(json.dumps(REPORTS[kind]))
    assert "thesis.tex" in refused(tmp_path / "out").why


def test_many_foreign_files_are_not_all_listed(tmp_path: Path) -> None:
    for i in range(12):
        (tmp_path / f"{i:02}").write_text("mine")
    assert refused(tmp_path).why.splitlines() == ["00", "01", "02", "03", "04", "and 7 more"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    assert "is a file" in refused(tmp_path / "out").what
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("path", [".", "..", "../out"])
def test_the_current_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    error = refused(Path(path))
    assert "current folder" in error.what
    assert "-o" in error.fix


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere", tmp_path / "out"
    target.mkdir()
    link.symlink_to(target)
    for files in (output(one=b"1"), output(two=b"2")):
        write_folder(link, files)
        assert link.is_symlink()
        assert content(target) == files


def test_a_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "missing")
    write_folder(tmp_path / "out", output(one=b"1"))
    assert content(tmp_path / "missing") == output(one=b"1")


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "out")
    with pytest.raises(CompileError) as e:
        write_folder(tmp_path / "out", output(one=b"1"))
    assert e.value.code == "E0702"


def test_the_old_output_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    folder, rename = tmp_path / "out", os.rename
    write_folder(folder, output(one=b"1"))

    def failing(source: Path, target: Path) -> None:
        if Path(source).name == "new":
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    assert "No space left" in refused(folder).what
