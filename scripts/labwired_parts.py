"""Descriptions of STM32 parts as the simulator LabWired brings them: ST's SVD files, turned into YAML by its authors.

A wheel holds one file for each part, with base addresses and interrupts, and one for each peripheral's registers.
Only files of STM32 parts are read: others do not all come from the maker's description (RP2350's are RP2040's).
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from svd import Svd, SvdRegister

PARTS = "labwired/configs/chips"


def labwired_parts(sources: Iterable[Path]) -> Iterator[tuple[str, Callable[[], Svd]]]:
    """The name of each part, without its package, in the wheels among the sources, and what reads its description."""
    for wheel in sources:
        if wheel.suffix == ".whl":
            with zipfile.ZipFile(wheel) as archive:
                names = archive.namelist()
            for name in names:
                if found := re.fullmatch(rf"{PARTS}/(stm32[a-z]+\d+)\w*\.yaml", name):
                    yield found[1], partial(read_part, found[1], wheel, name)


def read_part(part: str, wheel: Path, file: str) -> Svd:
    """Peripherals of which the wheel has no registers, being models without a description, are left out."""
    svd = Svd(part)
    with zipfile.ZipFile(wheel) as archive:
        for peripheral in load(archive, file)["peripherals"]:
            base, path = peripheral["base_address"], (peripheral.get("config") or {}).get("debug_schema")
            svd.interrupts.setdefault(base, set()).update({peripheral["irq"]} if "irq" in peripheral else ())
            if path:
                for register in registers_of(load(archive, posixpath.normpath(f"{PARTS}/{path}")), base):
                    svd.registers.setdefault(register.address, []).append(register)
    return svd


def load(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]  # comes with pyOCD; no other description needs it

    content = yaml.load(archive.read(name), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(content, dict), name
    return content


def registers_of(content: dict[str, Any], base: int) -> Iterator[SvdRegister]:
    for register in content["registers"]:
        fields = {f["name"]: bits(*f["bit_range"]) for f in register.get("fields") or ()}
        yield SvdRegister(content["peripheral"], register["id"], base + register["address_offset"], fields)


def bits(high: int, low: int) -> tuple[int, int]:
    """Lowest bit and width."""
    return low, high - low + 1
