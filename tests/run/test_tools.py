"""Missing programs: exit code 3, and the name of the package to install."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from mcucompile.errors import CompileError
from mcucompile.run import tools
from mcucompile.target.cores import CORES


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_tool", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CompileError) as caught:
        tools.find_toolchain()
    assert (caught.value.code, caught.value.exit_code) == ("E0601", 3)
    assert "gcc-arm-none-eabi" in caught.value.fix


def test_no_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_tool", lambda name: None)
    with pytest.raises(CompileError) as caught:
        tools.find_qemu()
    assert (caught.value.code, caught.value.exit_code) == ("E0602", 3)
    assert "qemu-system-arm" in caught.value.fix


def test_local_tools_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "qemu-system-arm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(tools, "LOCAL_TOOLS", tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert tools.find_qemu() == str(program)


def test_zig_is_the_second_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_tool", lambda name: "/opt/zig" if name == "zig" else None)
    assert tools.find_toolchain() == tools.Toolchain("zig", ("/opt/zig", "cc"))


@pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)
def test_zig_knows_every_core(core: tools.Core) -> None:
    flags = tools.Toolchain("zig", ("zig", "cc")).target_flags(core)
    assert f"thumb-freestanding-{'eabihf' if core.has_fpu else 'eabi'}" in flags
