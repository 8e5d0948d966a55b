"""Descriptions of STM32 parts as the simulator LabWired brings them: ST's SVD files, turned into YAML by its authors.

A wheel holds one file for each part, with base addresses and interrupts, and one for each peripheral's registers.
Only files of STM32 parts are read: others do not all come from the maker's description (RP2350's are RP2040's).
"""

from __future__ import annotations

import importlib.util
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from svd import Svd, SvdRegister

PARTS = "configs/chips"
Root = Path | zipfile.Path  # of the package, in a wheel or installed


def labwired_parts(sources: Iterable[Path]) -> Iterator[tuple[str, Callable[[], Svd]]]:
    """The name of each part, without its package, in the wheels among the sources, and what reads its description."""
    for root in (zipfile.Path(s, "labwired/") if s.suffix == ".whl" else s for s in sources):
        files = sorted(f.name for f in (root / PARTS).iterdir()) if (root / PARTS).is_dir() else []
        for name in files:
            if found := re.fullmatch(r"(stm32[a-z]+\d+)\w*\.yaml", name):
                yield found[1], partial(read_part, found[1], root, f"{PARTS}/{name}")


def installed_labwired() -> list[Path]:
    """Where the package is, if it is installed."""
    spec = importlib.util.find_spec("labwired")
    return [Path(spec.origin).parent] if spec is not None and spec.origin is not None else []


def read_part(part: str, root: Root, file: str) -> Svd:
    """Peripherals of which there are no registers, being models without a description, are left out."""
    svd = Svd(part)
    for peripheral in load(root, file)["peripherals"]:
        base, path = peripheral["base_address"], (peripheral.get("config") or {}).get("debug_schema")
        svd.interrupts.setdefault(base, set()).update({peripheral["irq"]} if "irq" in peripheral else ())
        if path:
            for register in registers_of(load(root, posixpath.normpath(f"{PARTS}/{path}")), base):
                svd.registers.setdefault(register.address, []).append(register)
    return svd


def load(root: Root, name: str) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]  # comes with pyOCD; no other description needs it

    content = yaml.load((root / name).read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(content, dict), name
    return content


def registers_of(content: dict[str, Any], base: int) -> Iterator[SvdRegister]:
    for register in content["registers"]:
        fields = {f["name"]: bits(*f["bit_range"]) for f in register.get("fields") or ()}
        yield SvdRegister(content["peripheral"], register["id"], base + register["address_offset"], fields)


def bits(high: int, low: int) -> tuple[int, int]:
    """Lowest bit and width."""
    return low, high - low + 1
