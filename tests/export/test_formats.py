"""What holds for all formats: names, one folder for any of them, the same bytes each time, nothing twice."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import mcucompile
from mcucompile.api import Compiled
from mcucompile.cli import main
from mcucompile.errors import CompileError
from mcucompile.export import FORMATS, exported, parse_formats

MODEL = Path(__file__).parents[1] / "models" / "classifier_qdq_int8.onnx"


def test_formats_are_those_of_the_readme() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    assert re.findall(r"^\| `--export ([a-z-]+)`", text, re.MULTILINE) == list(FORMATS)


@pytest.mark.parametrize(
    ("given", "formats"),
    [
        ((), ()),
        ("zephyr", ("zephyr",)),
        ("zephyr,cmake", ("cmake", "zephyr")),
        (["makefile", "cmake, makefile"], ("cmake", "makefile")),
        (",".join(FORMATS), tuple(FORMATS)),
    ],
)
def test_names(given: str | list[str], formats: tuple[str, ...]) -> None:
    assert parse_formats(given) == formats


@pytest.mark.parametrize("given", ["ninja", "cmake,", "cmake,CMake", ""])
def test_other_names_are_refused(given: str) -> None:
    with pytest.raises(CompileError) as e:
        parse_formats(given)
    assert e.value.code == "E0701"
    assert all(name in e.value.fix for name in FORMATS)


def test_each_format_adds_the_same_files_alone_and_beside_others(compiled: Compiled) -> None:
    together = exported(FORMATS, compiled.library)
    alone = [exported([name], compiled.library) for name in FORMATS]
    assert together == {path: content for files in alone for path, content in files.items()}
    for one, other in itertools.combinations(alone, 2):
        assert all(one[path] == other[path] for path in one.keys() & other.keys())


def test_nothing_of_the_library_changes_its_place(compiled: Compiled) -> None:
    added = exported(FORMATS, compiled.library)
    assert not added.keys() & compiled.library.c_files.keys()
    assert {path for path in added if path.endswith((".c", ".h"))} == {
        "examples/minimal/main.c",
        "examples/qemu/start.c",
    }
    contents = [content for name, content in compiled.files.items()]
    assert len(set(contents)) == len(contents), "no file is there twice"


def test_files_say_neither_when_nor_where_they_were_made(compiled: Compiled) -> None:
    again = exported(FORMATS, compiled.library)
    for path, content in again.items():
        assert compiled.files[path] == content
        if not path.endswith(".pack"):
            text = content.decode("ascii")
            assert not re.search(r"20\d\d-\d\d|(?<![.\w:/}\"])/(home|tmp|usr|root|work)\b|[A-Z]:\\", text), path


def test_a_folder_with_exports_is_taken_up_again(folder: Path, compiled: Compiled) -> None:
    example = folder / "examples" / "minimal" / "main.c"
    example.write_text(example.read_text().replace("Your data", "My data"))
    again = mcucompile.load_compiled(folder)
    assert again.options.export == tuple(FORMATS)
    assert again.files.keys() == compiled.files.keys()
    assert "examples" not in {p.name for p in again.write_library(folder.parent / "library").iterdir()}


@pytest.mark.parametrize("given", [None, "cmake", ["ninja"], [["cmake"]], [0]])
def test_a_report_with_other_formats_is_damaged(given: object, folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    report["options"]["export"] = given
    (folder / "report.json").write_text(json.dumps(report))
    with pytest.raises(CompileError) as e:
        mcucompile.load_compiled(folder)
    assert e.value.code == "E0703"
    assert "'export'" in str(e.value)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compile", str(MODEL), "--board", "qemu-m0", "--name", "net", "-o", str(tmp_path / "out")]
    assert main([*words, "--export", "makefile,zephyr", "--export", "arduino"]) == 0
    told = [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if str(tmp_path / "out") in line]
    assert told == [f"written to {tmp_path}/out/", "arduino", "zephyr", "makefile"]
    assert (tmp_path / "out" / "zephyr" / "module.yml").is_file()
    assert main([*words, "--export", "ninja"]) == 2
    assert "E0701" in capsys.readouterr().err


def test_an_exported_folder_is_replaced(folder: Path, compiled: Compiled) -> None:
    replace(compiled, options=replace(compiled.options, export=("makefile",))).write(folder)
    assert {p.name for p in folder.iterdir() if p.is_dir()} == {"examples"}
    assert {p.name for p in (folder / "examples").iterdir()} == {"makefile", "minimal", "qemu"}


def test_files_of_others_in_an_exported_folder_are_kept(folder: Path, compiled: Compiled) -> None:
    (folder / "examples" / "minimal" / "notes.txt").write_text("mine")
    with pytest.raises(CompileError) as e:
        compiled.write(folder)
    assert e.value.code == "E0702"
    assert e.value.why == "examples/minimal/notes.txt"
    assert (folder / "examples" / "minimal" / "notes.txt").read_text() == "mine"


def test_long_names(compiled: Compiled) -> None:
    """At most 63 characters for libraries and sketches of Arduino, at most 32 for a part of a CMSIS component."""
    name = "long" * 20
    program = replace(compiled.program, name=name)
    files = exported(FORMATS, replace(compiled.library, program=program))
    assert f"name={name[:63]}" in files["library.properties"].decode().splitlines()
    (sketch,) = [Path(path) for path in files if path.endswith(".ino")]
    assert sketch.stem == sketch.parent.name == f"{name[:55]}_minimal"
    component = re.search(r'Csub="(\w+)"', files[f"mcucompile.{name}.pdsc"].decode())
    assert component and component[1] == name[:32]
