"""A Makefile includes it from elsewhere, with its own flags, and keeps its own default target."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from building import WARNINGS, machine, run, runs_right

from mcucompile.target.cores import CORES

MAKEFILE = """
include ../library/net.mk

CFLAGS = {flags}

program: main.o $(NET_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

main.o: CPPFLAGS += $(NET_CPPFLAGS)
"""
ARM = " ".join(CORES["cortex-m4f"].gcc_flags)


@pytest.fixture
def project(folder: Path) -> Path:
    """A project beside the library; make knows no blanks in names."""
    folder.rename(folder.parent / "library")
    mine = folder.parent / "mine"
    mine.mkdir()
    (mine / "main.c").write_text((mine.parent / "library" / "examples" / "minimal" / "main.c").read_text())
    (mine / "Makefile").write_text(MAKEFILE.format(flags=f"-O2 {WARNINGS}"))
    return mine


def test_included(project: Path, tool: Callable[[str], str]) -> None:
    tool("make")
    built = run("make", cwd=project)
    assert "-ffp-contract=off -c -o build/net/net_kernels.o" in built
    runs_right(project / "program")
    assert "up to date" in run("make", cwd=project)
    (project.parent / "library" / "net_weights.h").touch()
    assert run("make", cwd=project).count(" -c ") == 3, "all objects depend on the library's headers"


def test_included_for_a_board(m4_folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("make")
    compiler = f"CC={tool('arm-none-eabi-gcc')}"
    m4_folder.rename(tmp_path / "library")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "Makefile").write_text(MAKEFILE.format(flags=f"-O2 {ARM} {WARNINGS}"))
    (tmp_path / "mine" / "main.c").write_text((tmp_path / "library/examples/minimal/main.c").read_text())
    run("make", compiler, "LDFLAGS=--specs=nosys.specs", cwd=tmp_path / "mine")
    assert machine(tmp_path / "mine" / "program") == "arm"


def test_default_target_of_before_stays(project: Path, tool: Callable[[str], str]) -> None:
    tool("make")
    (project / "Makefile").write_text("hello:\n\t@echo hello\n" + (project / "Makefile").read_text())
    assert run("make", cwd=project) == "hello\n"


def test_example(project: Path, m4_folder: Path, tool: Callable[[str], str]) -> None:
    tool("make")
    example = project.parent / "library" / "examples" / "makefile"
    run("make", f"CFLAGS=-O2 {WARNINGS}", cwd=example)
    runs_right(example / "build" / "minimal")
    tool("arm-none-eabi-gcc")
    example = m4_folder / "examples" / "makefile"
    run("make", f"CFLAGS=-O2 {WARNINGS}", cwd=example)
    assert machine(example / "build" / "cortex-m4f" / "minimal") == "arm"


def test_another_core_is_told_so_and_nothing_else(m4_folder: Path, tool: Callable[[str], str]) -> None:
    """Of a library that uses a core's instructions, built with the flags of none."""
    command = [tool("make"), "CROSS=", f"CC={tool('gcc')}", "check"]
    done = subprocess.run(command, cwd=m4_folder / "examples" / "makefile", capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if "error:" in line or "warning:" in line]
    assert len(errors) == 1 and '#error "net is for cortex-m4f: build it with the flags' in errors[0], done.stderr
