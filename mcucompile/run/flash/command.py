"""A command line of the user's, for boards with a tool of their own."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from pathlib import Path
from string import Formatter

from ...errors import CompileError
from .engine import Job, Written, failed
from .process import last_lines, run_tool

FORMS = ("elf", "bin", "hex")  # of the program
PLACES = (*FORMS, "port")


def program(job: Job) -> Written:
    """Runs the command with {elf}, {bin}, {hex} and {port} filled in, without a shell. Exit code 0 is success.

    Raises E0610 when it needs a port and there is none, E0701 for a template that cannot be filled in, E0801, E0807.
    """
    words = split(job.command or job.flashing.command)
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as folder:
        values = write_files(job, Path(folder))
        command = [word.format(**values) for word in words]
        if job.port is None and any("{port}" in word for word in words):
            what, fix = "the command needs the serial port", _advised(job, "give --port")
            raise CompileError("E0610", what, where=shlex.join(words), fix=fix)
        code, output = run_tool(job, command[0], command, Path.cwd())
    if code != 0:
        error = failed(job, command[0], f"{last_lines(output)}\nexit code {code}".strip())
        raise CompileError(error.code, error.what, error.where, error.why, _advised(job, error.fix))
    job.progress(1, 1)
    return Written(shlex.join(words), None, False)


def split(template: str) -> list[str]:
    """The words of the command line; every {name} in them is one of PLACES, and one at least of FORMS. Raises E0701."""
    try:
        words = shlex.split(template)
        places = [place for word in words for _, *place in Formatter().parse(word) if place[0] is not None]
    except ValueError as e:
        raise _bad(template, str(e)) from e
    if not words or any(name not in PLACES or form or conversion for name, form, conversion in places):
        raise _bad(template, f"it may name {_listed(PLACES)}")
    if not any(name in FORMS for name, *_ in places):
        what, why = f"the command {template!r} does not get the program", f"it names none of {_listed(FORMS)}"
        raise CompileError("E0701", what, why=why, fix='write "tool {elf}"')
    return words


def _listed(places: tuple[str, ...]) -> str:
    return ", ".join("{" + place + "}" for place in places)


def _advised(job: Job, fix: str) -> str:
    """What the board file says of its own command; nothing of a command of the user's."""
    return fix if job.command or not job.flashing.advice else f"{job.flashing.advice}; or {fix}"


def write_files(job: Job, folder: Path) -> dict[str, str]:
    paths = {kind: folder / f"firmware.{kind}" for kind in FORMS}
    shutil.copy(job.image.elf, paths["elf"])
    paths["bin"].write_bytes(job.image.binary())
    paths["hex"].write_text(job.image.intel_hex())
    return {**{kind: str(path) for kind, path in paths.items()}, "port": job.port or ""}


def _bad(template: str, why: str) -> CompileError:
    return CompileError("E0701", f"the command {template!r} cannot be filled in", why=why, fix='write "tool {elf}"')
