"""Running the tools of projects, and reading what the examples print."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SECONDS = 300
OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}  # the tests may be started by one, whose flags are not for these
WARNINGS = "-std=c99 -Wall -Wextra -Wconversion -Werror"


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a command prints on both streams; an assertion with that text when it fails."""
    own = {k: v for k, v in (os.environ if env is None else env).items() if k not in OF_MAKE}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def runs_right(program: Path) -> None:
    """Asserts that an example of the network says, and returns, that its answer is the reference's."""
    assert run(program) == "net: equal\n"


def machine(program: Path) -> str:
    """ "arm" for a 32-bit Arm ELF file, else "host"."""
    head = program.read_bytes()[:20]
    assert head[:4] == b"\x7fELF"
    return "arm" if head[18:20] == b"\x28\x00" else "host"
