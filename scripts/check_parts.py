"""Compare the board files of STM32 boards with what modm-devices, which is made from ST's own data, says of the parts.

    pip download --no-deps modm-devices==0.13.1
    python scripts/check_parts.py modm_devices-*.whl

For the part that a board's description names: the processor, that every region is within the part's memory of its kind,
that the interrupt of the serial port is one of a serial port, and that the pins have that port's lines at [uart]
alternate, or without remapping where a part has no such numbers. Registers are the affair of check_registers.py.

Exit code: 0 when nothing differs, 1 when something does.
"""

from __future__ import annotations

import argparse
import re
import sys
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from mcucompile.target.board import Board, Region, list_boards, load_board
from mcucompile.target.setup import Pin

FILES = "modm_devices/resources/devices/stm32/"
SERIAL = ("usart", "uart", "lpuart")


@dataclass(frozen=True)
class Part:
    """STM32G474RE: family g4, name 74, pin r, size e."""

    family: str
    name: str
    pin: str
    size: str

    def includes(self, element: ET.Element) -> bool:
        """An element may be for some devices of a file only."""
        wanted = {"device-name": self.name, "device-pin": self.pin, "device-size": self.size}
        return all(value in element.get(key, value).split("|") for key, value in wanted.items())

    def all(self, tree: ET.Element, tag: str) -> Iterator[ET.Element]:
        """Those inside an element for other devices are left out."""
        for child in tree:
            if self.includes(child):
                yield from [child] if child.tag == tag else self.all(child, tag)


def part_of(description: str) -> Part | None:
    found = re.search(r"STM32([A-Z]\d)(\w\w)([A-Z])([A-Z\d])", description)
    return Part(*(text.lower() for text in found.groups())) if found else None


def device_trees(wheel: Path) -> list[ET.Element]:
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.startswith(FILES) and n.endswith(".xml")]
        return [ET.fromstring(archive.read(n)) for n in names]


def device_of(part: Part, trees: Iterable[ET.Element]) -> ET.Element | None:
    wanted = {"family": part.family, "name": part.name, "pin": part.pin, "size": part.size}
    devices = (device for tree in trees for device in tree.iter("device"))
    return next((d for d in devices if all(v in d.get(k, "").split("|") for k, v in wanted.items())), None)


def differences(board: Board, part: Part, device: ET.Element) -> Iterator[str]:
    core = next(d for d in part.all(device, "driver") if d.get("name") == "core")
    if board.core.name.removesuffix("f") != core.get("type"):
        yield f"the processor is {core.get('type')}"
    for region in board.regions:
        yield from beyond(region, list(part.all(core, "memory")))
    yield from serial_port(board, part, device, core)


def beyond(region: Region, memories: list[ET.Element]) -> Iterator[str]:
    """What of a region is in no memory that can be written (RAM) or not (flash).

    A hole of just the size of another memory is taken for it: SRAM 2 of an L4 is listed at one of its two addresses.
    """
    is_ram = region.kind != "flash"
    spans = sorted(
        (int(m.get("start", ""), 0), int(m.get("size", ""))) for m in memories if ("w" in m.get("access", "")) == is_ram
    )
    at, end = region.origin, region.origin + region.nbytes
    for start, size in spans:
        if start <= at or start - at in {s for _, s in spans}:
            at = max(at, start + size)
    if at < end:
        yield f"{region.name}: {at:#x} to {end:#x} is no {'RAM' if is_ram else 'flash'}"


def serial_port(board: Board, part: Part, device: ET.Element, core: ET.Element) -> Iterator[str]:
    assert board.uart is not None
    names = [v.get("name", "") for v in part.all(core, "vector") if v.get("position") == str(board.uart.irq)]
    ports = {(kind.lower(), number) for name in names for kind, number in re.findall(r"(LPUART|USART|UART)(\d)", name)}
    if not ports:
        yield f"interrupt {board.uart.irq} is {' or '.join(names) or 'none'}, not a serial port's"
    for pin, line in ((board.uart.tx, "tx"), (board.uart.rx, "rx")):
        if ports and pin and ports.isdisjoint(lines_of(part, device, pin, line, board.uart.alternate)):
            yield f"P{chr(ord('A') + pin.port)}{pin.number} has no {line} of {names[0]} at {board.uart.alternate}"


def lines_of(part: Part, device: ET.Element, pin: Pin, line: str, alternate: int) -> set[tuple[str, str]]:
    """The serial ports whose line is at a pin."""
    gpio = next(d for d in part.all(device, "driver") if d.get("name") == "gpio")
    place = {"port": chr(ord("a") + pin.port), "pin": str(pin.number)}
    found = set()
    for element in part.all(gpio, "gpio"):
        if place.items() <= element.attrib.items():
            for signal in part.all(element, "signal"):
                if signal.get("name") == line and signal.get("af") == str(alternate):
                    found.add((signal.get("driver", ""), signal.get("instance", "")))
    for remap in part.all(gpio, "remap"):
        signals = [s for g in part.all(remap, "group") if g.get("id") == "0" for s in part.all(g, "signal")]
        if any({**place, "name": line}.items() <= s.attrib.items() for s in signals):
            found.add((remap.get("driver", ""), remap.get("instance", "")))
    return {port for port in found if port[0] in SERIAL}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", type=Path, help="the package modm-devices")
    parser.add_argument("--board", action="append", help="only this board")
    arguments = parser.parse_args()
    trees, bad = device_trees(arguments.wheel), 0
    for board in map(load_board, arguments.board or list_boards()):
        part = part_of(board.description) if board.setup else None
        device = device_of(part, trees) if part else None
        if part is None or device is None:
            continue
        found = list(differences(board, part, device))
        bad += len(found)
        print(f"{board.name}: {'differs' if found else 'as it should be'}")
        for line in found:
            print(f"  {line}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
