"""Descriptions of parts by their makers (SVD files): where registers are and which bits their fields have."""

from __future__ import annotations

import importlib.util
import io
import tarfile
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SvdRegister:
    peripheral: str
    name: str
    address: int
    fields: dict[str, tuple[int, int]]


@dataclass
class Svd:
    """Registers by address, peripherals' interrupts by base address."""

    name: str
    registers: dict[int, list[SvdRegister]] = field(default_factory=dict)
    interrupts: dict[int, set[int]] = field(default_factory=dict)


def svd_texts(sources: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each SVD file in files, folders and packages. XML files of other kinds are passed over."""
    return ((name, content) for name, content in candidates(sources) if b"<peripherals" in content)


def candidates(sources: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for path in sources:
        if path.is_dir():
            yield from candidates(sorted(p for p in path.rglob("*") if p.suffix in (".svd", ".xml")))
        elif path.suffix in (".zip", ".whl"):
            yield from zipped(path.read_bytes())
        elif path.name.endswith(".tar.gz"):
            with tarfile.open(path) as tar:
                for member in tar.getmembers():
                    if member.name.endswith(".svd") and (file := tar.extractfile(member)):
                        yield Path(member.name).stem, file.read()
        elif path.suffix in (".svd", ".xml"):
            yield path.stem, path.read_bytes()


def zipped(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if name.endswith((".svd", ".xml")):
                yield Path(name).stem, archive.read(name)
            elif name.endswith("svd_data.zip"):
                yield from zipped(archive.read(name))


def installed() -> list[Path]:
    """pyOCD's collection."""
    spec = importlib.util.find_spec("pyocd")
    places = [Path(p) / "debug/svd/svd_data.zip" for p in (spec.submodule_search_locations or [])] if spec else []
    return [p for p in places if p.is_file()]


def number(text: str | None, default: int = 0) -> int:
    if text is None:
        return default
    text = text.strip().lower()
    return int(text[1:], 2) if text.startswith("#") else int(text, 0)


def read_svd(name: str, content: bytes) -> Svd:
    svd = Svd(name)
    root = ET.fromstring(content)
    peripherals = {p.findtext("name", ""): p for p in root.iter("peripheral")}
    by_name = {i.findtext("name", ""): number(i.findtext("value")) for i in root.iter("interrupt")}
    for title, node in peripherals.items():
        base = number(node.findtext("baseAddress"))
        source = peripherals.get(node.get("derivedFrom", ""), node)
        named = {by_name[title]} if title in by_name else set()  # some are listed with the peripheral before
        svd.interrupts.setdefault(base, set()).update(named or own(node) or own(source))
        tree = node if node.find("registers") is not None else source
        for register in registers_of(tree.find("registers"), title, base):
            svd.registers.setdefault(register.address, []).append(register)
    return svd


def own(node: ET.Element) -> set[int]:
    return {number(i.findtext("value")) for i in node.iter("interrupt")}


def registers_of(node: ET.Element | None, peripheral: str, base: int, prefix: str = "") -> Iterator[SvdRegister]:
    for child in node if node is not None else ():
        if child.tag not in ("register", "cluster"):
            continue
        for name, offset in repeated(child):
            address = base + offset
            if child.tag == "cluster":
                yield from registers_of(child, peripheral, address, f"{prefix}{name}_")
            else:
                yield SvdRegister(peripheral, prefix + name, address, fields_of(child))


def repeated(node: ET.Element) -> Iterator[tuple[str, int]]:
    """Names and offsets of what may be an array."""
    name, offset = node.findtext("name", ""), number(node.findtext("addressOffset"))
    count, step = number(node.findtext("dim"), 1), number(node.findtext("dimIncrement"))
    labels = (node.findtext("dimIndex") or "").split(",") if "," in (node.findtext("dimIndex") or "") else None
    for i in range(count):
        label = labels[i] if labels else str(i)
        yield name.replace("[%s]", label).replace("%s", label), offset + i * step


def fields_of(node: ET.Element) -> dict[str, tuple[int, int]]:
    """Lowest bit and width by name."""
    found = {}
    for f in node.iter("field"):
        bits = f.findtext("bitRange")
        if bits:
            high, low = map(int, bits.strip("[]").split(":"))
        elif f.find("lsb") is not None:
            low, high = number(f.findtext("lsb")), number(f.findtext("msb"))
        else:
            low = number(f.findtext("bitOffset"))
            high = low + number(f.findtext("bitWidth"), 1) - 1
        for name, offset in repeated(f):
            found[name] = (low + offset, high - low + 1)
    return found
