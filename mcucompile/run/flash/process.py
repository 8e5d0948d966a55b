"""Run a flashing tool as a program of its own: bounded, and gone with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ...errors import CompileError
from .engine import Job, failed

TOOL_SECONDS = 300.0
_LINES = 30  # of a tool's output, at the end, are shown


def run_tool(
    job: Job, engine: str, command: Sequence[str], folder: Path, seconds: float = TOOL_SECONDS
) -> tuple[int, str]:
    """Exit code, and what the tool printed. Raises E0801 when it is not there, E0807 when it does not end in time."""
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
    except OSError as e:
        raise CompileError(
            "E0801", f"{command[0]} cannot be run: {e.strerror}", fix=f"install {command[0]}, or take another --engine"
        ) from e
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as e:
        raise failed(job, engine, f"{command[0]} did not end within {seconds:g} s") from e
    finally:
        _end(process)
    return process.returncode, output


def last_lines(output: str) -> str:
    return "\n".join(output.strip().expandtabs(4).splitlines()[-_LINES:])


def _end(process: subprocess.Popen[str]) -> None:
    """Its whole group: a tool's helpers would keep the probe. They are in a group of their own since Popen."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
