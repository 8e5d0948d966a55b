"""The cycle counter of DWT, which no emulator has: its driver, run on this machine with a counter that is scripted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mcucompile.resources import folder

REGISTERS = r"""
#define REGISTERS_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#define BIT(position) (1u << (position))
#define REGISTER(address) (*at(address))
#define WAIT_TRIES 10u
#undef __ARM_ARCH
#define __ARM_ARCH 7

static uint64_t now;

static volatile uint32_t *at(uint32_t address) {
    static uint32_t cycle_counter, other;
    cycle_counter = (uint32_t)now;
    now += 3u;
    return address == 0xE0001004u ? &cycle_counter : &other;
}
"""
# Runs of so many cycles as the arguments say; the timer's interrupt comes every 2^24 cycles of a clock that is slower.
MAIN = r"""
void cpu_interrupts_off(void) {}
void cpu_interrupts_on(void) {}
uint32_t cpu_clock_hz(void) { return 1u; }

int main(int argc, char **argv) {
    uint64_t period = (uint64_t)strtoul(argv[1], NULL, 0) << 24;
    if (cpu_ticks_kind() != TICKS_DWT) {
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        now &= 0xFFFFFFFFu;
        cpu_ticks_start();
        uint64_t begin = cpu_long_ticks(), first = now, end = now + strtoull(argv[i], NULL, 0);
        while (now + period <= end) {
            now += period;
            cpu_tick_wrapped();
        }
        now = end;
        uint64_t found = cpu_long_ticks() - begin;
        printf("%llu %llu\n", (unsigned long long)(end - first), (unsigned long long)found);
        cpu_ticks_stop();
    }
    return 0;
}
"""


@pytest.mark.parametrize("slower", [1, 8])
def test_runs_that_take_longer_than_32_bits_count(host_compiler: str, tmp_path: Path, slower: int) -> None:
    source, built = tmp_path / "main.c", tmp_path / "main"
    source.write_text(f'{REGISTERS}#include "{folder("templates") / "project" / "ticks.c"}"\n{MAIN}')
    subprocess.run([host_compiler, "-std=gnu99", source, "-o", built], check=True, timeout=60)
    runs = [100, 2**24 + 1, 2**31, 2**32 - 50, 2**32 + 50, 3 * 2**32 + 12345, 100, 40 * 2**32]
    output = subprocess.check_output([built, str(slower), *map(str, runs)], timeout=10, text=True)
    pairs = [[int(word) for word in line.split()] for line in output.splitlines()]
    assert [pair[0] for pair in pairs] == runs
    for true, found in pairs:
        assert abs(found - true) < 20, "what reading it takes"
