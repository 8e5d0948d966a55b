"""QEMU plugins: C that watches every instruction the emulator runs, compiled by the host when it is needed.

Decided: compiled at each use, into a temporary folder. Because: a second of compiling spares a cache that could hold
something stale or foreign. Instead of: shared objects in the package, one per operating system and version of QEMU.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .host import find_host_compiler
from .tools import find_tool

HEADERS = Path(__file__).parent / "qemu_plugin"
PROBE_SECONDS = 30
_FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")
# A plugin calls QEMU's functions, which the linker does not see; only on macOS it insists on being told.
_LINK_FLAGS = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()


@dataclass(frozen=True)
class Plugin:
    """A compiled plugin, or, where there is none, the reason."""

    path: Path | None
    missing: str = ""

    def options(self, arguments: dict[str, object]) -> tuple[str, ...]:
        """QEMU's options that load it."""
        assert self.path is not None, self.missing
        given = {"file": self.path, **arguments}
        return ("-plugin", ",".join(f"{k}={escaped(v)}" for k, v in given.items()))


def escaped(value: object) -> str:
    """A value among QEMU's options, in which a comma is doubled."""
    return str(value).replace(",", ",,")


@cache
def build_plugin(*sources: Path) -> Plugin:
    """The plugin of these C files, which may include qemu_plugin_api.h; built once per process."""
    compiler, qemu = find_host_compiler(), find_tool("qemu-system-arm")
    if compiler is None or qemu is None:
        return Plugin(None, f"there is no {'C compiler for the host' if compiler is None else 'qemu-system-arm'}")
    target = Path(_work_dir().name) / f"{sources[0].stem}.so"
    defines = (f"-DQEMU_API={interface_version(_said(qemu, '--version'))}",)
    build = [compiler, *_FLAGS, *defines, f"-I{HEADERS}", *map(str, sources), *_LINK_FLAGS, "-o", str(target)]
    if not _succeeds(build):
        return Plugin(None, "the host's C compiler cannot build a plugin of the emulator")
    # An emulator that has started obeys "quit" and ends well; one that refuses its plugin ends with an error.
    probe = [qemu, "-M", "none", "-nodefaults", "-display", "none", "-monitor", "stdio", "-S"]
    if not _succeeds([*probe, "-plugin", f"file={escaped(target)}"], "quit\n"):
        return Plugin(None, "this build of qemu-system-arm takes no plugins")
    return Plugin(target)


def interface_version(version: str) -> int:
    """The version of the interface to plugins, from what `qemu-system-arm --version` prints."""
    found = re.search(r"version (\d+)\.(\d+)", version)
    return 3 if found and (int(found[1]), int(found[2])) >= (9, 1) else 1


@cache
def _work_dir() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mcucompile-plugin-")


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _succeeds(command: Sequence[str], stdin: str = "") -> bool:
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
