"""What the firmware does to keep the debug port of an nRF52 open, run on this machine with registers that are memory.

The makers' rules: the word in UICR takes writes while NVMC's CONFIG allows them, bits only go to 0, and it counts from
the next reset on. Revisions that close the port (nRF52840 from build code F0, nRF52833 from B0) open it when both
UICR.APPROTECT and, after each reset, APPROTECT.DISABLE are 0x5A; on earlier ones any word but all ones closes it.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcucompile.resources import folder

REGISTERS = r"""
#define REGISTERS_H
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#define BIT(position) (1u << (position))
#define FIELD(lowest, width) (((1u << (width)) - 1u) << (lowest))
#define IN_FIELD(field, number) ((uint32_t)(number) * ((field) & (~(field) + 1u)))
#define SET_FIELD(name, field, number) ((name) = ((name) & ~(field)) | IN_FIELD(field, number))
#define REGISTER(address) (*at(address))
#define UART_TX_PORT 0u
#define UART_TX_PIN 6u
#define UART_RX_PORT 0u
#define UART_RX_PIN 8u

static struct { uint32_t address, value, before; } cells[64];
static int count, last = -1;

/* What became of the register that was looked at before. */
static void settle(void);

__attribute__((noreturn)) void cpu_reset(void);

static volatile uint32_t *at(uint32_t address) {
    settle();
    for (last = 0; last < count && cells[last].address != address; last++) {
    }
    count += last == count;
    cells[last].address = address;
    cells[last].before = cells[last].value;
    return &cells[last].value;
}

static uint32_t is_writable, is_stuck;

static void settle(void) {
    if (last < 0) {
        return;
    }
    if (cells[last].address == 0x4001E504u) {
        is_writable = cells[last].value & 3u;
    } else if (cells[last].address == 0x10001208u) {
        cells[last].value = cells[last].before & (is_writable == 1u && !is_stuck ? cells[last].value : ~0u);
    }
}

static jmp_buf reset;

void cpu_reset(void) {
    settle();
    longjmp(reset, 1);
}

static inline int wait_for(volatile uint32_t *address, uint32_t mask, uint32_t wanted) {
    (void)address; (void)mask; (void)wanted;
    return 1;
}
"""
MAIN = r"""
int main(int argc, char **argv) {
    const uint32_t given[] = {0x10000100u, 0x10000104u, 0x10001208u};
    for (int i = 0; i < 3; i++) {
        REGISTER(given[i]) = (uint32_t)strtoul(argv[i + 1], NULL, 16);
        last = -1; /* by nobody's rules */
    }
    (void)argc;
    is_stuck = argv[4][0] == '1';
    int resets = setjmp(reset);
    if (!resets) {
        setup();
    }
    printf("%x ", REGISTER(0x10001208u));
    printf("%x ", REGISTER(0x40000558u));
    printf("%x %d", REGISTER(0x4001E504u), resets);
    return 0;
}
"""


@dataclass(frozen=True)
class Left:
    """Registers after set-up, or when a reset was asked for, and how often that was."""

    uicr: int
    disable: int
    config: int
    resets: int


@pytest.fixture
def program(host_compiler: str, tmp_path: Path) -> Path:
    source, built = tmp_path / "main.c", tmp_path / "main"
    source.write_text(f'{REGISTERS}#include "{folder("templates") / "project" / "setup_nrf5.c"}"\n{MAIN}')
    subprocess.run([host_compiler, "-std=c99", "-DFAMILY_NRF52", source, "-o", built], check=True, timeout=60)
    return built


def boot(program: Path, part: int, variant: str, uicr: int, *, is_stuck: bool = False) -> Left:
    words = [f"{part:x}", variant.encode("latin-1").hex(), f"{uicr:x}", f"{is_stuck:d}"]
    output = subprocess.run([program, *words], check=True, timeout=10, capture_output=True, text=True).stdout.split()
    return Left(*(int(text, 16) for text in output))


@pytest.mark.parametrize(
    ("part", "variant"), [(0x52840, "AAF0"), (0x52840, "CKG1"), (0x52833, "AAB0"), (0x52833, "QDC0")]
)
def test_a_port_that_closes_is_kept_open(program: Path, part: int, variant: str) -> None:
    first = boot(program, part, variant, 0xFFFFFFFF)
    assert (first.uicr, first.config, first.resets) == (0x5A, 0, 1)
    assert boot(program, part, variant, first.uicr) == Left(0x5A, 0x5A, 0, 0), "and no further reset"


@pytest.mark.parametrize("word", [0xFFFFFF00, 0x00000000, 0xFFFFFF5A])
def test_what_somebody_wrote_stays(program: Path, word: int) -> None:
    assert boot(program, 0x52840, "AAF0", word) == Left(word, word, 0, 0)


def test_a_part_that_takes_no_write_is_not_reset_for_ever(program: Path) -> None:
    assert boot(program, 0x52840, "AAF0", 0xFFFFFFFF, is_stuck=True) == Left(0xFFFFFFFF, 0xFFFFFFFF, 0, 0)


@pytest.mark.parametrize(
    ("part", "variant"), [(0x52840, "AAD0"), (0x52840, "AAE0"), (0x52833, "AAA0"), (0x52840, "\xff\xff\xff\xff")]
)
def test_earlier_revisions_get_no_word(program: Path, part: int, variant: str) -> None:
    assert boot(program, part, variant, 0xFFFFFFFF) == Left(0xFFFFFFFF, 0xFFFFFFFF, 0, 0)


def test_other_parts_are_left_alone(program: Path) -> None:
    assert boot(program, 0x52832, "AAG0", 0xFFFFFFFF) == Left(0xFFFFFFFF, 0, 0, 0)
