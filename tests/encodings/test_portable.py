"""Decoders are C99 and C++ without a warning, for gcc and clang, at every level of optimization."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from board_decoders import COMMON_HEAD, decoders_text
from decoder_kinds import every_decoder
from needs import needs_compiler

from mcucompile.encodings import BY_NAME
from mcucompile.run.host import WARNINGS
from mcucompile.run.tools import Toolchain, find_toolchain
from mcucompile.target.cores import CORES


def source(core: str, work_dir: Path) -> None:
    (work_dir / "all.c").write_text(COMMON_HEAD + decoders_text(every_decoder(), CORES[core].isa))


def refused(command: list[str], work_dir: Path) -> str:
    done = subprocess.run(command, cwd=work_dir, capture_output=True, text=True, timeout=300)
    return done.stderr[:4000] if done.returncode else ""


@needs_compiler
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4f", "cortex-m55"])
def test_gcc(core: str, tmp_path: Path) -> None:
    source(core, tmp_path)
    toolchain = find_toolchain()
    command = [*toolchain.command, *toolchain.target_flags(CORES[core]), "-ffreestanding", *WARNINGS]
    quiet = "-Wno-unused-function"  # nothing calls them here
    for opt in ("-O0", "-Os", "-O3"):
        assert refused([*command, quiet, opt, "-c", "all.c"], tmp_path) == ""
    plus = [*command, "-x", "c++", "-std=c++11", quiet, "-fsyntax-only", "all.c"]
    assert refused([part for part in plus if part != "-std=c99"], tmp_path) == ""


@pytest.mark.parametrize("core", ["cortex-m4f", "cortex-m55"])
def test_clang(core: str, tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="clang comes with the Python package ziglang")
    source(core, tmp_path)
    zig = Toolchain("zig", (sys.executable, "-m", "ziglang", "cc"))
    command = [*zig.command, *zig.target_flags(CORES[core]), "-ffreestanding", *WARNINGS]
    assert refused([*command, "-Wno-unused-function", "-O2", "-c", "all.c"], tmp_path) == ""


def test_a_decoder_of_every_kind_is_compiled() -> None:
    assert {s.encoding.name for s in every_decoder()} == set(BY_NAME)
