"""A debug probe for pyOCD whose target is an emulated processor, behind QEMU's debug port.

An SWD debug port, one AHB access port, a ROM table and the core's debug registers are made up here; memory, registers,
running, stopping and reset are QEMU's. So pyOCD's own flash engine runs: it downloads its algorithm, lets the emulated
processor carry it out, and reads flash back.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from gdb_remote import Disconnected, GdbRemote, MemoryFault
from pyocd.core import exceptions
from pyocd.probe.debug_probe import DebugProbe

DHCSR, DCRSR, DCRDR, DEMCR, AIRCR, DFSR = 0xE000EDF0, 0xE000EDF4, 0xE000EDF8, 0xE000EDFC, 0xE000ED0C, 0xE000ED30
KEY, C_DEBUGEN, C_HALT, C_STEP, S_REGRDY, S_HALT, S_RESET = 0xA05F, 1, 2, 4, 1 << 16, 1 << 17, 1 << 25
WRITE_REGISTER, REQUEST_RESET, CATCH_RESET = 1 << 16, 4, 1
LR, PC = 14, 15
NO_PROGRAM = (0, 0xFFFFFFFE)  # where empty and erased flash let a part start
RAM = range(0x20000000, 0x40000000)
ROM_TABLE, SYSTEM_CONTROL = 0xE00FF000, 0xE000E000
# What pyOCD asks of the debug hardware that QEMU does not have: trace and breakpoint units are not there.
ABSENT = (*range(0xE0000000, 0xE0003000, 0x1000), 0xE0040000, 0xE0041000, 0xE0042000, ROM_TABLE)


def identification(base: int, component: int, part: int, manufacturer: int) -> dict[int, int]:
    """The registers by which a CoreSight component is recognized."""
    values = {0xFE0: part, 0xFE4: manufacturer, 0xFE8: 0x0B, 0xFEC: 0, 0xFD0: 4}
    values |= {0xFF0: 0x0D, 0xFF4: component, 0xFF8: 5, 0xFFC: 0xB1}
    return {base + offset: value for offset, value in values.items()}


FIXED = {
    ROM_TABLE: 0xFFF0F003,  # the system control space, at a distance of -0xf1000
    ROM_TABLE + 4: 0,
    **identification(ROM_TABLE, 0x10, 0xC4, 0xB4),
    **identification(SYSTEM_CONTROL, 0xE0, 0x0C, 0xB0),
}


class Core:
    """The bus of an emulated processor, with the core's debug registers on it."""

    def __init__(self, gdb: GdbRemote) -> None:
        self.gdb = gdb
        self.is_halted, self.data, self.demcr, self.was_reset = True, 0, 0, False
        self.breakpoint: int | None = None

    def read(self, address: int) -> int:
        self._look()
        if address == DHCSR:
            value = S_REGRDY | C_DEBUGEN | (S_HALT | C_HALT) * self.is_halted | S_RESET * self.was_reset
            self.was_reset = False
            return value
        special = {DCRDR: self.data, DEMCR: self.demcr, DFSR: int(self.is_halted), **FIXED}
        if address in special:
            return special[address]
        if address & ~0xFFF in ABSENT:
            return 0
        return int.from_bytes(self.read_block(address & ~3, 4), "little")

    def write(self, address: int, data: bytes) -> None:
        value = int.from_bytes(data, "little")
        if address == DHCSR:
            self._control(value)
        elif address == DCRSR:
            self._transfer(value)
        elif address == DCRDR:
            self.data = value
        elif address == DEMCR:
            self.demcr = value
        elif address == AIRCR and value & REQUEST_RESET:
            self.reset()
        elif not 0xE0000000 <= address < SYSTEM_CONTROL:
            self._stopped(lambda: self.gdb.write(address, data))

    def read_block(self, address: int, nbytes: int) -> bytes:
        return self._stopped(lambda: self.gdb.read(address, nbytes))

    def halt(self) -> None:
        self._look()
        if not self.is_halted:
            self.gdb.interrupt()
            self._has_stopped()

    def reset(self) -> None:
        """Like a part's: the program starts, unless it is to be caught."""
        self.halt()
        self.gdb.monitor("system_reset")
        self.was_reset = True
        if not self.demcr & CATCH_RESET:
            self.run()

    def run(self) -> None:
        """QEMU would take the BKPT to which a flash algorithm returns for a fault: a breakpoint lies on it. That is in
        RAM; where a program in flash returns to, it shall not stop. Without a program, a part locks up, and QEMU ends:
        it stands still instead.
        """
        if not self.is_halted or self.gdb.read_register(PC) in NO_PROGRAM:
            return
        caller = self.gdb.read_register(LR)
        if caller in RAM:
            self.breakpoint = caller & ~1
            self.gdb.command(f"Z0,{self.breakpoint:x},2")
        self.is_halted = False
        self.gdb.send("c")

    def _control(self, value: int) -> None:
        if value >> 16 != KEY:
            return
        if value & C_HALT:
            self.halt()
        elif value & C_STEP:
            self.gdb.command("s")
        elif value & C_DEBUGEN:
            self.run()

    def _transfer(self, selector: int) -> None:
        """Between a core register and DCRDR; the ones above 16 (FPU, CONTROL and its like) are of no account here."""
        number = selector & 0x7F
        if number > 16:
            self.data = self.data if selector & WRITE_REGISTER else 0
        elif selector & WRITE_REGISTER:
            self.gdb.write_register(number, self.data)
        else:
            self.data = self.gdb.read_register(number)

    def _look(self) -> None:
        """Has the processor stopped by itself?"""
        if not self.is_halted and self.gdb.poll() is not None:
            self._has_stopped()

    def _has_stopped(self) -> None:
        self.is_halted = True
        if self.breakpoint is not None:
            self.gdb.command(f"z0,{self.breakpoint:x},2")
            self.breakpoint = None

    def _stopped(self, access: Callable[[], Any]) -> Any:
        """Memory is reached with the processor stopped; one that reached its breakpoint meanwhile stays there."""
        self._look()
        if self.is_halted:
            return access()
        reason = self.gdb.interrupt()
        try:
            return access()
        finally:
            if reason[1:3] == b"05":
                self._has_stopped()
            else:
                self.gdb.send("c")


class QemuProbe(DebugProbe):  # type: ignore[misc]
    """`connections` are those that pyOCD shall find: names, and how each is opened."""

    connections: ClassVar[dict[str, Callable[[], socket.socket]]] = {}

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.core = name, None
        self.status, self.csw, self.tar = 0, 0x43000052, 0

    @classmethod
    def get_all_connected_probes(cls, unique_id: str | None = None, is_explicit: bool = False) -> list[QemuProbe]:
        return [cls(name) for name in cls.connections]

    @classmethod
    def get_probe_with_id(cls, unique_id: str, is_explicit: bool = False) -> QemuProbe | None:
        return cls(unique_id) if unique_id in cls.connections else None

    vendor_name = property(lambda self: "mcucompile")
    product_name = property(lambda self: "probe of an emulated processor")
    unique_id = property(lambda self: self.name)
    supported_wire_protocols = property(lambda self: [DebugProbe.Protocol.DEFAULT, DebugProbe.Protocol.SWD])
    wire_protocol = property(lambda self: DebugProbe.Protocol.SWD)
    is_open = property(lambda self: self.core is not None)
    capabilities = property(lambda self: set())

    def open(self) -> None:
        self.core = self._reached(lambda: Core(GdbRemote(self.connections[self.name])))

    def close(self) -> None:
        """The processor stays as it is, running or halted."""
        core, self.core = self.core, None
        if core is not None:
            core.gdb.close()

    def connect(self, protocol: object = None) -> None: ...

    def disconnect(self) -> None: ...

    def set_clock(self, frequency: float) -> None: ...

    def flush(self) -> None: ...

    def reset(self) -> None:
        self._reached(self.core.reset)

    def assert_reset(self, asserted: bool) -> None:
        if asserted:
            self.reset()

    def is_reset_asserted(self) -> bool:
        return False

    def read_dp(self, addr: int, now: bool = True) -> Any:
        power_up = (self.status & 0x50000000) << 1  # what was asked for has happened
        return self._given({0: 0x2BA01477, 4: self.status | power_up}.get(addr, 0), now)

    def write_dp(self, addr: int, data: int) -> None:
        if addr == 4:
            self.status = data & 0x50000000

    def read_ap(self, addr: int, now: bool = True) -> Any:
        return self._given(self._read_ap(addr), now)

    def write_ap(self, addr: int, data: int) -> None:
        register = addr & 0xFF
        if addr >> 24:
            return
        if register == 0x00:
            self.csw = (self.csw & 0xC0) | (data & ~0xC0)
        elif register == 0x04:
            self.tar = data
        elif register == 0x0C:
            lane = 8 * (self.tar & 3)
            content = ((data & 0xFFFFFFFF) >> lane).to_bytes(4, "little")[: self._width]
            self._reached(lambda: self.core.write(self.tar, content))
            self._advance()

    def read_ap_multiple(self, addr: int, count: int = 1, now: bool = True) -> Any:
        if self._is_block(addr, count):
            data = self._reached(lambda: self.core.read_block(self.tar, 4 * count))
            self.tar += 4 * count
            values = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
        else:
            values = [self._read_ap(addr) for _ in range(count)]
        return self._given(values, now)

    def write_ap_multiple(self, addr: int, values: Sequence[int]) -> None:
        values = list(values)
        if not self._is_block(addr, len(values)):
            for value in values:
                self.write_ap(addr, value)
            return
        data = b"".join(value.to_bytes(4, "little") for value in values)
        self._reached(lambda: self.core.write(self.tar, data))
        self.tar += len(data)

    @property
    def _width(self) -> int:
        return 1 << (self.csw & 7)

    def _is_block(self, addr: int, count: int) -> bool:
        return addr & 0xFF == 0x0C and self._width == 4 and count > 1 and self.tar < 0xE0000000

    def _read_ap(self, addr: int) -> int:
        register = addr & 0xFF
        if addr >> 24:
            return 0
        if register == 0x0C:
            value = self._reached(lambda: self.core.read(self.tar & ~3))
            self._advance()
            return int(value)
        return {0x00: self.csw, 0x04: self.tar, 0xF8: ROM_TABLE | 3, 0xFC: 0x24770011}.get(register, 0)

    def _advance(self) -> None:
        if self.csw & 0x30:
            self.tar = (self.tar & ~0x3FF) | ((self.tar + self._width) & 0x3FF)

    def _given(self, value: Any, now: bool) -> Any:
        return value if now else lambda: value

    def _reached(self, access: Callable[[], Any]) -> Any:
        """What goes wrong, as pyOCD knows it of a probe."""
        try:
            return access()
        except Disconnected as e:
            raise exceptions.ProbeDisconnected(str(e)) from e
        except MemoryFault as e:
            raise exceptions.TransferFaultError(str(e)) from e
