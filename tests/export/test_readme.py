"""The README.md of an output folder: it names what is there, and what it says to do works."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
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


def commands(folder: Path) -> str:
    """What the README has people paste into a shell, of the folder."""
    (text,) = re.findall(r"^```sh\n(.*?)^```", (folder / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return str(text)


@pytest.mark.parametrize("board", ["qemu-m0", "nucleo-l4r5zi", "qemu-m55"])
def test_the_example_runs_as_it_is_told(
    board: str, compiled: Compiled, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    """CMake and make; for a core like this machine's, and for the one that it was compiled for, in QEMU."""
    for name in ("bash", "cmake", "make", "arm-none-eabi-gcc", "qemu-system-arm"):
        tool(name)
    compiled.for_board(board).write(tmp_path / "out")
    text = commands(tmp_path / "out")
    ways = {"qemu-m0": 4}.get(board, 2)
    assert text.count("# ") == ways
    assert run("bash", "-e", "-c", text, cwd=tmp_path / "out").count("\nnet: equal\n") == ways


def test_a_wrong_answer_is_told_by_the_emulated_example(
    m4_folder: Path, tool: Callable[[str], str],
) -> None:  # fmt: skip
    """And make fails, as the program returns 1."""
    tool("arm-none-eabi-gcc"), tool("qemu-system-arm")
    main = m4_folder / "examples" / "minimal" / "main.c"
    main.write_text(main.read_text().replace("memcpy(net_image(), sample,", "memset(net_image(), 0,"))
    done = subprocess.run(
        [tool("make"), "-C", "examples/makefile", "check"], cwd=m4_folder, capture_output=True, text=True
    )
    assert done.returncode != 0 and "net: DIFFERENT at scores[" in done.stdout


def test_only_formats_that_run_here_have_commands(compiled: Compiled, tmp_path: Path) -> None:
    replace(compiled, options=replace(compiled.options, export=("zephyr",))).write(tmp_path / "out")
    assert "```sh" not in (tmp_path / "out" / "README.md").read_text()
    assert not (tmp_path / "out" / "examples" / "qemu").exists()


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
    assert "whose instructions it uses" in text and "arm-none-eabi-gcc" in text and "-mcpu=cortex-m4" in text
