"""How a real part is set up: the driver of its family with constants of the board, and the pins of the serial line.

A family is one C file, templates/project/setup_<driver>.c. Its constants reach it as macros SETUP_<NAME>; from the same
constants comes the clock that results, so that a board file cannot claim another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .table import Table

OSCILLATORS = {"internal": 0, "crystal": 1, "bypass": 2}  # as in templates/project/setup.h
_PIN = re.compile(r"P([A-K])(\d+)|(?:P|GPIO_AD_B)(\d)[._](\d+)|(?:GPIO|P)(\d+)")


@dataclass(frozen=True)
class Pin:
    """`port` counts from 0: A of an STM32 and port 0 of an nRF52 are the first; parts with one port have just that.

    `name` is how the board's file writes it.
    """

    port: int
    number: int
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Family:
    """`fallback_hz`: what the processor runs with when the wanted clock does not come. `clock_hz` of the constants.

    `has_boot`: the chip's ROM wants something in the flash before the program, templates/project/boot_<driver>.S.
    """

    driver: str
    fallback_hz: int
    constants: tuple[str, ...]
    clock_hz: Callable[[Mapping[str, int]], int]
    ticks: str = "ticks"
    has_boot: bool = False


_MHZ = 1_000_000
_PLL = ("oscillator", "oscillator_hz", "m", "n", "p", "apb1_divider", "apb2_divider", "wait_states", "overdrive")
_SHORT_PLL = ("m", "n", "r", "wait_states")


def _from_oscillator(c: Mapping[str, int]) -> int:
    return c["oscillator_hz"] // c["m"] * c["n"] // c["p"]


def _multiplied(c: Mapping[str, int]) -> int:
    """The internal oscillator goes into the multiplier halved."""
    into = c["oscillator_hz"] if c["oscillator"] != OSCILLATORS["internal"] else 4 * _MHZ
    return into * c["multiplier"]


def _from_internal(c: Mapping[str, int]) -> int:
    return 16 * _MHZ // c["m"] * c["n"] // c["r"]


def _raspberry(c: Mapping[str, int]) -> int:
    return 12 * _MHZ * c["feedback"] // (c["divider1"] * c["divider2"])


def _doubled(c: Mapping[str, int]) -> int:
    return 2 * c["oscillator_hz"] * c["m"] // c["n"] // c["divider"]


def _loop(c: Mapping[str, int]) -> int:
    return 24 * _MHZ * c["loop_divider"] // 2 // c["divider"]


FAMILIES: dict[str, Family] = {
    "stm32f0": Family("stm32f0", 8 * _MHZ, ("oscillator", "oscillator_hz", "multiplier", "wait_states"), _multiplied),
    "stm32f1": Family(
        "stm32f1", 8 * _MHZ, ("oscillator", "oscillator_hz", "multiplier", "apb1_divider", "wait_states"), _multiplied
    ),
    "stm32f4": Family("stm32f4", 16 * _MHZ, _PLL, _from_oscillator),
    "stm32f7": Family("stm32f4", 16 * _MHZ, _PLL, _from_oscillator),
    "stm32g0": Family("stm32g0", 16 * _MHZ, _SHORT_PLL, _from_internal),
    "stm32g4": Family("stm32l4", 16 * _MHZ, _SHORT_PLL, _from_internal),
    "stm32l4": Family("stm32l4", 16 * _MHZ, _SHORT_PLL, _from_internal),
    "stm32h7": Family(
        "stm32h7", 64 * _MHZ, ("oscillator", "oscillator_hz", "m", "n", "p", "wait_states"), _from_oscillator
    ),
    "stm32u5": Family("stm32u5", 16 * _MHZ, _SHORT_PLL, _from_internal),
    "nrf51": Family("nrf5", 16 * _MHZ, (), lambda _: 16 * _MHZ, "ticks_nrf51"),
    "nrf52": Family("nrf5", 64 * _MHZ, (), lambda _: 64 * _MHZ),
    "rp2040": Family("rp2", 12 * _MHZ, ("feedback", "divider1", "divider2"), _raspberry, has_boot=True),
    "rp2350": Family("rp2", 12 * _MHZ, ("feedback", "divider1", "divider2"), _raspberry),
    "lm3s": Family("lm3s", 8 * _MHZ, ("divider",), lambda c: 200 * _MHZ // c["divider"]),
    "lpc17": Family("lpc17", 4 * _MHZ, ("oscillator_hz", "m", "n", "divider", "wait_states"), _doubled),
    "lpc55": Family("lpc55", 12 * _MHZ, ("wait_states",), lambda _: 96 * _MHZ),
    "imxrt": Family("imxrt", 24 * _MHZ, ("loop_divider", "divider", "bus_divider"), _loop, has_boot=True),
}


@dataclass(frozen=True)
class Setup:
    """`svd` names the maker's description of the part's registers, then those of relatives; only
    scripts/check_registers.py reads them.
    """

    name: str
    svd: tuple[str, ...]
    constants: tuple[tuple[str, int], ...]

    @property
    def family(self) -> Family:
        return FAMILIES[self.name]

    @property
    def clock_hz(self) -> int:
        """What the processor runs with when everything comes."""
        return self.family.clock_hz(dict(self.constants))

    @property
    def wait_states(self) -> int:
        """Of the flash at that clock, where the family counts them."""
        return dict(self.constants).get("wait_states", 0)

    @property
    def defines(self) -> tuple[str, ...]:
        """For the C compiler."""
        constants = [f"-DSETUP_{name.upper()}={value}" for name, value in self.constants]
        return (f"-DFAMILY_{self.name.upper()}", f"-DFALLBACK_HZ={self.family.fallback_hz}u", *constants)


def read_setup(table: Table) -> Setup:
    """Raises E0302."""
    name: str = table.choice("family", {f: f for f in FAMILIES})
    svd = table.texts("svd")
    constants = tuple((c, _constant(table, c)) for c in FAMILIES[name].constants)
    table.finish()
    return Setup(name, svd, constants)


def _constant(table: Table, name: str) -> int:
    if name == "oscillator":
        return int(table.choice(name, OSCILLATORS))
    return table.number(name, 0 if name in ("wait_states", "overdrive") else 1)


def read_pin(table: Table, key: str) -> Pin | None:
    """`PA9` of an STM32, `P0.06` of an nRF52 or LPC, the pad `GPIO_AD_B0_12` of an i.MX RT, `GPIO1` or `P24` where
    there is one port. Raises E0302.
    """
    if key not in table.values:
        return None
    text = table.text(key)
    found = _PIN.fullmatch(text)
    if not found:
        raise table.error(key, f"is {text!r}; a pin is written as PA9, P0.06, GPIO1, P24 or GPIO_AD_B0_12")
    letter, number, port, of_port, alone = found.groups()
    if letter:
        return Pin(ord(letter) - ord("A"), int(number), text)
    return Pin(int(port), int(of_port), text) if port else Pin(0, int(alone), text)
