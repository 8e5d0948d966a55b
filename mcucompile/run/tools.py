"""Where the external programs are: on PATH, or in .tools/bin of a checkout, where scripts/get_tools.sh puts them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from ..errors import CompileError
from ..resources import PACKAGE
from ..target.cores import Core

VERSION_SECONDS = 60
LOCAL_TOOLS = PACKAGE.parent / ".tools" / "bin"

# zig's names of cores and of their floating-point units: its plain core names leave the unit out.
_ZIG_CPUS = {
    "cortex-m0": "cortex_m0",
    "cortex-m0plus": "cortex_m0plus",
    "cortex-m3": "cortex_m3",
    "cortex-m4": "cortex_m4",
    "cortex-m4f": "cortex_m4+vfp4d16sp",
    "cortex-m7": "cortex_m7+fp_armv8d16",
    "cortex-m33": "cortex_m33+fp_armv8d16sp",
    "cortex-m55": "cortex_m55+mve_fp",
}


def find_tool(name: str) -> str | None:
    """The program's path, or None."""
    return shutil.which(name) or shutil.which(name, path=os.fspath(LOCAL_TOOLS))


@dataclass(frozen=True)
class Toolchain:
    """A C compiler for Arm: `kind` is "gcc" or "zig", `command` how it is called."""

    kind: str
    command: tuple[str, ...]

    def target_flags(self, core: Core) -> tuple[str, ...]:
        if self.kind == "gcc":
            return core.gcc_flags
        abi = "eabihf" if core.has_fpu else "eabi"
        # zig would insert traps for undefined behaviour at -O0.
        return ("-target", f"thumb-freestanding-{abi}", f"-mcpu={_ZIG_CPUS[core.name]}", "-fno-sanitize=undefined")

    @property
    def link_flags(self) -> tuple[str, ...]:
        """What gives the compiler's own support functions and nothing else."""
        return ("-nostdlib", "-Wl,--no-warn-rwx-segments") if self.kind == "gcc" else ("-nostartfiles",)

    @property
    def link_libraries(self) -> tuple[str, ...]:
        return ("-lgcc",) if self.kind == "gcc" else ()

    @property
    def version(self) -> str:
        return _version(self.command)


@cache
def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise CompileError("E0601", f"{command[0]} does not even say its version: {e}", fix="install it again") from e
    return done.stdout.splitlines()[0] if done.stdout else ""


def find_toolchain() -> Toolchain:
    """arm-none-eabi-gcc, else zig (on PATH or as the Python package ziglang). Raises E0601."""
    gcc = find_tool("arm-none-eabi-gcc")
    if gcc:
        return Toolchain("gcc", (gcc,))
    zig = find_tool("zig")
    if zig:
        return Toolchain("zig", (zig, "cc"))
    if importlib.util.find_spec("ziglang"):
        return Toolchain("zig", (sys.executable, "-m", "ziglang", "cc"))
    raise CompileError(
        "E0601",
        "no compiler for Arm was found",
        why="looked for arm-none-eabi-gcc and zig on PATH, and for the Python package ziglang",
        fix="install the package gcc-arm-none-eabi, or run scripts/get_tools.sh, or `pip install ziglang`",
    )


def find_qemu() -> str:
    """The path of qemu-system-arm. Raises E0602."""
    qemu = find_tool("qemu-system-arm")
    if qemu is None:
        raise CompileError(
            "E0602",
            "qemu-system-arm was not found",
            fix="install the package qemu-system-arm, or run scripts/get_tools.sh",
        )
    return qemu
