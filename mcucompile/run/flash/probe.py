"""What pyOCD must know before it can connect: the part, and which of the debug probes is meant."""

from __future__ import annotations

from typing import Any

from ...errors import CompileError
from ..ports import serial_number_of
from .engine import Job
from .pyocd_settings import bad_settings, check_settings
from .usb import named, no_probe, plain


def check_target(job: Job) -> None:
    """Raises E0810 for a part that neither pyOCD nor a pack knows, E0702 for settings of pyOCD's that are wrong.

    Without that, who has no probe at hand yet would only be told so, and of the pack when the probe is there. The steps
    are those of pyOCD's Board, which needs one.
    """
    from pyocd.core.session import Session
    from pyocd.target import TARGET, normalise_target_type_name
    from pyocd.target.pack.pack_target import ManagedPacks, PackTargets

    check_settings()
    name = normalise_target_type_name(job.flashing.target)
    packs = Session(None).options["pack"]  # as a pyocd.yaml may name them
    if packs is not None:
        try:
            PackTargets.populate_targets_from_pack(packs)
        except Exception as e:  # whatever comes of a file that is not there, or no pack
            raise bad_settings(f"pack: {packs}\n{e}") from e
    if name not in TARGET:
        ManagedPacks.populate_target(name)
    if name not in TARGET:
        raise _unknown_target(job)


def choose_probe(job: Job) -> Any:
    """The probe that was named, the only one, or the one on the USB device of the serial port. E0802, E0803, E0806."""
    from pyocd.core.helpers import ConnectHelper

    # What is written "kind:id" is no part of an id: it tells pyOCD where to look.
    where = job.probe if job.probe and ":" in job.probe else None
    found = list(ConnectHelper.get_all_connected_probes(blocking=False, unique_id=where))
    probes = found if where or not job.probe else _named(job, found)
    if len(probes) > 1 and job.port:
        serial = plain(serial_number_of(job.port))
        same = [p for p in probes if plain(p.unique_id) == serial]
        probes = same or probes
    if len(probes) == 1:
        return probes[0]
    if not probes:
        raise no_probe(job.board)
    raise CompileError(
        "E0803",
        f"{len(probes)} debug probes are connected",
        why=_list(probes),
        fix="name one with --probe, by as much of its id as is its own",
    )


def _named(job: Job, found: list[Any]) -> list[Any]:
    """The probes whose ids are, or hold, the one that was named. Raises E0802 when there are only others."""
    ids = named(job.probe or "", [p.unique_id for p in found])
    if found and not ids:
        what, fix = f"no debug probe with {job.probe} in its id is connected", "name one of these with --probe"
        raise CompileError("E0802", what, why=f"connected are\n{_list(found)}", fix=fix)
    return [p for p in found if p.unique_id in ids]


def _list(probes: list[Any]) -> str:
    return "\n".join(f"{p.unique_id}  {p.description}" for p in probes)


def _unknown_target(job: Job) -> CompileError:
    name = job.flashing.target
    return CompileError(
        "E0810", f"pyOCD does not know the part {name} yet", fix=f"pyocd pack install {name}  (once; it loads the pack)"
    )
