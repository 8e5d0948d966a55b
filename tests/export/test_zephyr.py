"""Zephyr's schema of modules, Kconfig as kconfiglib reads it, and a build where a few functions stand in for Zephyr."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from building import WARNINGS, machine, run, runs_right

from mcucompile.api import Compiled

STAND_IN = Path(__file__).parent / "zephyr"
TEXT, FLAG = {"type": "str", "required": False}, {"type": "bool", "required": False}
TEXTS = {"type": "seq", "required": False, "sequence": [{"type": "str"}]}
# The structure that Zephyr's scripts/zephyr_module.py asks of module.yml.
MODULE = {
    "type": "map",
    "mapping": {
        "name": TEXT,
        "build": {
            "type": "map",
            "required": False,
            "mapping": {
                **dict.fromkeys(("cmake", "kconfig", "sysbuild-cmake", "sysbuild-kconfig"), TEXT),
                **dict.fromkeys(("cmake-ext", "kconfig-ext", "sysbuild-cmake-ext", "sysbuild-kconfig-ext"), FLAG),
                "depends": TEXTS,
            },
        },
        **dict.fromkeys(("tests", "samples", "boards"), TEXTS),
    },
}
CORES = ("CPU_CORTEX_M4", "CPU_CORTEX_M7", "ARMV8_M_DSP", "ARMV7_M_ARMV8_M_MAINLINE", "ARMV8_1_M_MVEI")


def test_module_has_the_schema(folder: Path) -> None:
    core = pytest.importorskip("pykwalify.core", reason="pykwalify is not installed")
    found = core.Core(source_file=str(folder / "zephyr" / "module.yml"), schema_data=MODULE).validate()
    assert found["name"] == "mcucompile_net"
    assert (folder / found["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (folder / found["build"]["kconfig"]).is_file()


def option(folder: Path, cores: tuple[str, ...]) -> Any:
    """CONFIG_MCUCOMPILE_NET in a Kconfig tree where these cores are selected."""
    kconfiglib = pytest.importorskip("kconfiglib", reason="kconfiglib is not installed")
    tree = folder / "Kconfig"
    symbols = [f"config {core}\n\tdef_bool {'y' if core in cores else 'n'}\n" for core in CORES]
    tree.write_text("".join([*symbols, 'source "zephyr/Kconfig"\n']))
    read = kconfiglib.Kconfig(str(tree), warn_to_stderr=False, suppress_traceback=True)
    assert not read.warnings
    return read.syms["MCUCOMPILE_NET"]


def test_option(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("srctree", str(folder))
    found = option(folder, ())
    assert found.str_value == "n"
    assert found.set_value("y") and found.str_value == "y", "portable kernels run on every core"
    assert "net.h" in found.nodes[0].help


@pytest.mark.parametrize(
    ("board", "cores"),
    [
        ("qemu-m3", {"ARMV7_M_ARMV8_M_MAINLINE"}),
        ("qemu-m4", {"CPU_CORTEX_M4", "CPU_CORTEX_M7", "ARMV8_M_DSP"}),
        ("qemu-m55", {"ARMV8_1_M_MVEI"}),
    ],
)
def test_option_depends_on_the_instructions(
    compiled: Compiled, board: str, cores: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled.for_board(board).write(tmp_path / "out")
    monkeypatch.setenv("srctree", str(tmp_path / "out"))
    for core in CORES:
        found = option(tmp_path / "out", (core,))
        found.set_value("y")
        assert (found.str_value == "y") == (core in cores), core


def test_example(folder: Path, m4_folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("cmake")
    where = f"-DZephyr_DIR={STAND_IN}"
    options = ("-G", "Unix Makefiles", where, f"-DCMAKE_C_FLAGS={WARNINGS}")
    run("cmake", "-S", folder / "examples" / "zephyr", "-B", tmp_path / "host", *options)
    assert "-ffp-contract=off" in run("cmake", "--build", tmp_path / "host", "--verbose")
    runs_right(tmp_path / "host" / "app")
    tool("arm-none-eabi-gcc")
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={m4_folder / 'cmake' / 'cortex-m4f.cmake'}"
    run("cmake", "-S", m4_folder / "examples" / "zephyr", "-B", tmp_path / "arm", where, toolchain)
    run("cmake", "--build", tmp_path / "arm")
    assert machine(tmp_path / "arm" / "app") == "arm"


def test_stack_has_room_for_the_network_and_more(folder: Path) -> None:
    """A network may take 1 KB of it, as the tests of networks check."""
    text = (folder / "examples" / "zephyr" / "prj.conf").read_text()
    (size,) = re.findall(r"^CONFIG_MAIN_STACK_SIZE=(\d+)$", text, re.MULTILINE)
    assert int(size) >= 2 * 1024


def test_library_is_built_only_where_it_is_asked_for(folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("cmake")
    (folder / "examples" / "zephyr" / "prj.conf").write_text("")
    run("cmake", "-S", folder / "examples" / "zephyr", "-B", tmp_path / "host", f"-DZephyr_DIR={STAND_IN}")
    assert "mcucompile_net" not in run("cmake", "--build", tmp_path / "host", "--target", "help")
