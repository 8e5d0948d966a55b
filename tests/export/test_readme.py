"""The README.md of an output folder: it names what is there, and what it says to do works."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from building import run

from mcucompile.api import Compiled
from mcucompile.export import FORMATS


def named_files(text: str) -> set[str]:
    return {name for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}


def test_files_are_there(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    names = named_files(text)
    assert names >= {"net.h", "net.c", "reference.npz", "report.json", "examples/"}
    assert all((folder / name).exists() for name in names)


def test_every_format_is_told(folder: Path, compiled: Compiled, tmp_path: Path) -> None:
    rows = re.findall(r"^\| ([a-z-]+) \| (.+) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    assert [name for name, *_ in rows] == ["format", *FORMATS]
    assert all("{" not in use.replace("{{", "") and "FOLDER" in use and check for _, use, check in rows[1:])
    replace(compiled, options=replace(compiled.options, export=("zephyr",))).write(tmp_path / "out")
    assert re.findall(r"^\| ([a-z-]+) \| .+ \| .+ \|$", (tmp_path / "out" / "README.md").read_text(), re.M) == [
        "format",
        "zephyr",
    ]
    replace(compiled, options=replace(compiled.options, export=())).write(tmp_path / "plain")
    assert not (tmp_path / "plain" / "README.md").exists()


def test_sizes(folder: Path, compiled: Compiled) -> None:
    found = [
        int(v.replace(",", "")) for v in re.findall(r"^\| .+ \| ([\d,]+) \|$", (folder / "README.md").read_text(), re.M)
    ]
    memory = compiled.report["memory"]
    assert found == [compiled.report["constants"], compiled.report["flash"], memory["arena"]]


def test_it_goes_with_the_exports(folder: Path, compiled: Compiled) -> None:
    """It is one of the output's files: no foreign one, which would be kept."""
    compiled.write(folder)
    replace(compiled, options=replace(compiled.options, export=())).write(folder)
    assert not (folder / "README.md").exists()


def test_check_and_clean(folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("make")
    folder.rename(tmp_path / "library")
    example = tmp_path / "library" / "examples" / "makefile"
    assert run("make", "check", cwd=example).endswith("net: equal\n")
    run("make", "clean", cwd=example)
    assert {p.name for p in example.iterdir()} == {"Makefile"}


def test_core_is_told(m4_folder: Path) -> None:
    """The flags are those of the core."""
    text = (m4_folder / "README.md").read_text()
    assert "whose instructions it uses" in text and "cross compiler" in text and "-mcpu=cortex-m4" in text
