"""OpenOCD, as a program: `program firmware.elf verify reset exit`."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from ...errors import CompileError
from ..tools import find_tool
from .engine import Job, Written, failed, locked, wrong_part
from .process import last_lines, run_tool
from .usb import debug_probes, named

_VERIFIED = "** Verified OK **"
_NO_FILE = re.compile(r"Can't find (\S+\.cfg)")
_NO_PROBE = re.compile(r"Error: (open failed|unable to find|No J-Link device|.*no device found)", re.IGNORECASE)
_DENIED = re.compile(r"LIBUSB_ERROR_ACCESS|Access denied|insufficient permissions", re.IGNORECASE)
# Complaints only: of an unlocked part it says "Info : RDP level 0", and that some blocks are not protected.
_LOCKED = re.compile(
    r"^(Error|Warn) *:.*(protected|readout|APPROTECT|device is locked)"
    r"|RDP level (0\.5|[12])\b|AP lock engaged|Debug access is denied",
    re.IGNORECASE | re.MULTILINE,
)
_WRONG = re.compile(r"UNEXPECTED|Cannot identify target|Unknown device|expected \d+ of \d+", re.IGNORECASE)
_DIFFERS = re.compile(r"\*\* Verify Failed \*\*|contents differ|checksum mismatch", re.IGNORECASE)


def program(job: Job) -> Written:
    """Raises E0801 without OpenOCD, E0802 to E0808 by what it says."""
    openocd = find_tool("openocd")
    if openocd is None:
        raise CompileError("E0801", "openocd was not found", fix="install the package openocd, or take --engine pyocd")
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as folder:
        # Tcl would read spaces and brackets in a path as its own.
        shutil.copy(job.image.elf, Path(folder) / "firmware.elf")
        code, output = run_tool(job, "openocd", [openocd, *arguments(job)], Path(folder))
    if code != 0 or _VERIFIED not in output:
        raise problem(job, output)
    job.progress(1, 1)
    return Written("openocd", None, True)


def arguments(job: Job) -> list[str]:
    files = [word for path in job.flashing.openocd for word in ("-f", path)]
    serial = ["-c", f"adapter serial {full_id(job)}"] if job.probe else []
    return [*files, *serial, "-c", "program firmware.elf verify reset exit"]


def full_id(job: Job) -> str:
    """OpenOCD takes no part of an id. What is named is looked for where the system shows USB, else handed on."""
    wanted = job.probe or ""
    found = named(wanted, [probe.serial for probe in debug_probes(job.board)])
    return found[0] if len(found) == 1 else wanted


def problem(job: Job, output: str) -> CompileError:
    """What OpenOCD's words mean; it has no codes for it."""
    why = last_lines(output)
    if missing := _NO_FILE.search(output):
        return _unknown_file(missing[1], why)
    if _DENIED.search(output):
        fix = "install OpenOCD's udev rules (60-openocd.rules), then connect the probe again"
        return CompileError("E0806", "the debug probe may not be opened by this user", why=why, fix=fix)
    if _NO_PROBE.search(output):
        fix = "connect the board by a cable with data lines; `-f` files of another probe go into the board file"
        return CompileError("E0802", "openocd finds no debug probe", why=why, fix=fix)
    if _DIFFERS.search(output):
        fix = "flash it again; if that does not help, look at the supply and at write protection"
        return CompileError("E0808", f"the flash of {job.board.name} is not what was written", why=why, fix=fix)
    if _LOCKED.search(output):
        return locked(job, why)
    if _WRONG.search(output):
        return wrong_part(job, why)
    return failed(job, "openocd", why)


def _unknown_file(name: str, why: str) -> CompileError:
    """It looks for its files before it looks for a probe."""
    return CompileError(
        "E0810",
        f"this OpenOCD has no {name}",
        why=f"{why}\nnothing was erased or programmed",
        fix="install a newer OpenOCD, or take another --engine; of a board file of your own look at `openocd`",
    )
