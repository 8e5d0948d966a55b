"""pyOCD, in this process: erases the sectors that the program needs, programs them, reads everything back.

The program's segments are handed over one by one: pyOCD's own reader of ELF files only warns of a segment that has no
place in flash, and the rest would then count as success.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ...errors import CompileError
from .engine import Job, Written, check_chip_id, differs, failed, locked, wrong_part
from .probe import check_target, choose_probe
from .usb import no_probe

CPUID = 0xE000ED00
PARTS = {
    "cortex-m0": 0xC20, "cortex-m0plus": 0xC60, "cortex-m3": 0xC23, "cortex-m4": 0xC24, "cortex-m7": 0xC27,
    "cortex-m33": 0xD21, "cortex-m55": 0xD22,
}  # fmt: skip
"""Bits 4 to 15 of CPUID, by the compilers' name of the core; from Arm's technical reference manuals."""
READ_NBYTES = 4096
UICR_APPROTECT, ERASED, HW_DISABLED = 0x10001208, 0xFFFFFFFF, 0x5A
OPTIONS = {
    "auto_unlock": False,  # unlocking erases the chip
    "chip_erase": "sector",
    "hide_programming_progress": True,
    "smart_flash": False,
    "warning.cortex_m_default": False,
}
CONNECT_MODES = ("halt", "under-reset")  # the second finds parts that sleep, or whose program took the debug pins


def program(job: Job) -> Written:
    """Raises E0702, E0801 to E0808, E0810. Until the part has been recognized nothing is erased."""
    if importlib.util.find_spec("pyocd") is None:
        raise CompileError("E0801", "pyOCD is not installed", fix="pip install 'mcucompile[boards]'")
    from pyocd.core.exceptions import Error

    steps = _Steps(job)
    try:
        with _quiet():
            check_target(job)
            probe = choose_probe(job)
            with _opened(job, probe) as session:
                erased = _program(job, session, steps)
                return Written(f"pyOCD, {probe.description} {probe.unique_id}", erased, True)
    except (Error, OSError, ValueError, *_usb_errors()) as e:
        raise _explained(job, e, steps.has_begun) from e


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without pyOCD's log: what matters comes as an exception."""
    log = logging.getLogger("pyocd")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


@contextlib.contextmanager
def _opened(job: Job, probe: Any) -> Iterator[Any]:
    """A session in which the core is halted. When it is closed the program goes on, unless `_program` has begun to
    replace it, or the probe is gone; what it says then, after an error, is of no interest.
    """
    from pyocd.core.exceptions import ProbeDisconnected

    session = _connected(job, probe)
    try:
        yield session
    except ProbeDisconnected:
        session.options["resume_on_disconnect"] = False  # each question to it could take its time limit
        raise
    finally:
        with contextlib.suppress(Exception):
            session.close()


def _connected(job: Job, probe: Any) -> Any:
    """A part that does not answer is a DebugError with some probes, and with ST-Link a ProbeError."""
    from pyocd.core.exceptions import DebugError, ProbeDisconnected, ProbeError
    from pyocd.core.session import Session

    for mode in CONNECT_MODES:
        session = Session(probe, options={**OPTIONS, "target_override": job.flashing.target, "connect_mode": mode})
        try:
            session.open()
            return session
        except (DebugError, ProbeError) as e:
            is_reached = probe.is_open and not isinstance(e, ProbeDisconnected)
            is_locked = is_reached and _is_locked(session)
            _close(session)
            if is_locked:
                raise locked(job, "its access port is disabled") from None
            if not is_reached:
                raise
            if mode == CONNECT_MODES[-1]:
                raise _no_answer(job, e) from e
        except BaseException:
            _close(session)
            raise
    raise AssertionError


def _program(job: Job, session: Any, steps: _Steps) -> int:
    """Recognizes the part, writes, reads back, starts the program; the number of bytes erased."""
    from pyocd.core.exceptions import FlashFailure
    from pyocd.flash.loader import MemoryLoader

    target = session.target
    if _is_locked(session):
        raise locked(job, "its debug port says so")
    _check_part(job, target.read32)
    loader = MemoryLoader(session, progress=steps.written)
    for address, data in job.image.segments:
        _check_flash(job, target, address, len(data))
        loader.add_data(address, data)
    erased = _erased_nbytes(job, target)
    is_readable = _is_readable(target, job.image.origin)
    target.reset_and_halt()  # away from the old program's interrupts, clocks and sleep
    steps.has_begun = True
    session.options["resume_on_disconnect"] = False  # half a program is better not started
    keep_unlocked(target)
    try:
        loader.commit()
    except FlashFailure as e:
        if is_readable:
            raise
        raise locked(job, f"its flash can neither be read nor programmed; pyOCD says: {e}") from e
    _read_back(job, target, steps)
    session.options["resume_on_disconnect"] = True
    target.reset(_reset_type(job))
    return erased


def _reset_type(job: Job) -> Any:
    """pyOCD knows best how a part is reset, but for those of which it resets the core alone."""
    from pyocd.core.target import Target

    return Target.ResetType.HARDWARE if job.flashing.reset == "pin" else None


def _is_readable(target: Any, address: int) -> bool:
    """Flash that cannot be read need not be protected: on some parts erased flash is a fault, or nothing has made it
    readable yet; or a write was cut off. Only programming it tells.
    """
    from pyocd.core.exceptions import TransferError

    try:
        target.read32(address)
    except TransferError:
        return False
    return True


def keep_unlocked(target: Any) -> None:
    """nRF52840 from build code F0, nRF52833 from B0 and their like lock the debug port at each reset unless this word
    of UICR and the program say otherwise. The firmware does its part, and writes the word for engines that cannot;
    before its start it saves a reset. What somebody wrote there stays.
    """
    if getattr(target, "hardened_approtect", False) and target.read32(UICR_APPROTECT) == ERASED:
        target.write_uicr(UICR_APPROTECT, HW_DISABLED)


def _read_back(job: Job, target: Any, steps: _Steps) -> None:
    for address, data in job.image.segments:
        for at in range(0, len(data), READ_NBYTES):
            wanted = data[at : at + READ_NBYTES]
            found = bytes(target.read_memory_block8(address + at, len(wanted)))
            if found != wanted:
                raise differs(job, address + at, wanted, found)
            steps.read(len(wanted))


@dataclass
class _Steps:
    """Progress in bytes: each is erased, written and read. pyOCD counts to one twice, for erasing and for writing."""

    job: Job
    has_begun: bool = False
    phase: int = 0
    share: float = 0.0
    nbytes: int = 0

    def written(self, share: float) -> None:
        self.phase += share < self.share
        self.share = share
        self.job.progress(int((min(self.phase, 1) + share) * self.job.image.nbytes), 3 * self.job.image.nbytes)

    def read(self, nbytes: int) -> None:
        self.nbytes += nbytes
        self.job.progress(2 * self.job.image.nbytes + self.nbytes, 3 * self.job.image.nbytes)


def _check_part(job: Job, read32: Callable[[int], int]) -> None:
    from pyocd.core.exceptions import TransferError

    core, found = PARTS[job.board.core.cpu], read32(CPUID) >> 4 & 0xFFF
    if found != core:
        raise wrong_part(job, f"its core is {found:#x}, not {core:#x} ({job.board.core.name})")
    if job.flashing.chip is not None:
        with contextlib.suppress(TransferError):  # a part without anything there is not recognized by that
            check_chip_id(job, read32(job.flashing.chip.address))


def _check_flash(job: Job, target: Any, address: int, nbytes: int) -> None:
    for at in (address, address + nbytes - 1):
        region = target.memory_map.get_region_for_address(at)
        if region is None or not region.is_flash:
            raise CompileError(
                "E0810",
                f"pyOCD knows no flash at {at:#010x} of {job.flashing.target}",
                fix="look at `target` in the board file, and at the addresses of its flash",
            )


def _erased_nbytes(job: Job, target: Any) -> int:
    """Of the sectors that hold a part of the program."""
    sectors: dict[int, int] = {}
    for address, data in job.image.segments:
        at = address
        while at < address + len(data):
            info = target.memory_map.get_region_for_address(at).flash.get_sector_info(at)
            sectors[info.base_addr] = info.size
            at = info.base_addr + info.size
    return sum(sectors.values())


def _is_locked(session: Any) -> bool:
    """False also where the part or its state does not let one ask."""
    with contextlib.suppress(Exception):
        return bool(session.target.is_locked())
    return False


def _close(session: Any) -> None:
    with contextlib.suppress(Exception):
        session.close()


def _usb_errors() -> tuple[type[Exception], ...]:
    from usb.core import USBError

    return (USBError,)


def _no_answer(job: Job, error: Exception) -> CompileError:
    hint = (
        "the probe is there, the chip does not answer: it has no power, SWD is not wired, or its program sleeps or took"
        f" the pins ({job.flashing.recovery})"
    )
    return failed(job, "pyOCD", f"{type(error).__name__}: {error}\n{hint}", has_begun=False)


def _explained(job: Job, error: Exception, has_begun: bool) -> CompileError:
    from pyocd.core.exceptions import ProbeDisconnected

    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return no_probe(job.board)
    why = f"{type(error).__name__}: {error}"
    if isinstance(error, ProbeDisconnected):
        why += "\nthe connection to the probe was lost"
    return failed(job, "pyOCD", why, has_begun=has_begun)
