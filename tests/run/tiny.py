"""A hand-written library as `mcucompile compile` would write it, small enough to check by eye.

Two inputs of 8 bytes; step 0 adds them, step 1 writes two things: the sum negated, and its running total.
"""

from __future__ import annotations

from pathlib import Path

from mcucompile.run.interface import Block, Interface

INTERFACE = Interface(
    name="tiny",
    inputs=(Block("a", 8), Block("b", 8)),
    outputs=(Block("negated", 8), Block("total", 8)),
    events=((0, 0, 8), (1, 0, 8), (1, 1, 8)),
)

HEADER = """\
#ifndef TINY_H
#define TINY_H
#include <stddef.h>
#include <stdint.h>
#define TINY_ARENA_SIZE 40
int tiny_init(void *arena, size_t size, void *state);
int tiny_run(void);
int8_t *tiny_a(void);
int8_t *tiny_b(void);
int8_t *tiny_negated(void);
int8_t *tiny_total(void);
#endif
"""

NETWORK = """\
#include "tiny.h"
#ifdef TINY_ON_STEP
extern void TINY_ON_STEP(int, const void *, size_t);
#endif
extern const int8_t tiny_bias[8];
void tiny_add(const int8_t *a, const int8_t *b, int8_t *sum);
void tiny_scan(const int8_t *sum, const int8_t *bias, int8_t *negated, int8_t *total);
static int8_t own_arena[TINY_ARENA_SIZE];
static int8_t *arena;
int tiny_init(void *a, size_t size, void *state) {
    (void)state;
    if (a != NULL && size < TINY_ARENA_SIZE) { return -1; }
    arena = a != NULL ? a : own_arena;
    return 0;
}
int8_t *tiny_a(void) { return arena; }
int8_t *tiny_b(void) { return arena + 8; }
int8_t *tiny_negated(void) { return arena + 24; }
int8_t *tiny_total(void) { return arena + 32; }
int tiny_run(void) {
    tiny_add(arena, arena + 8, arena + 16);
#ifdef TINY_ON_STEP
    TINY_ON_STEP(0, arena + 16, 8);
#endif
    tiny_scan(arena + 16, tiny_bias, arena + 24, arena + 32);
#ifdef TINY_ON_STEP
    TINY_ON_STEP(1, arena + 24, 8);
    TINY_ON_STEP(1, arena + 32, 8);
#endif
    return 0;
}
"""

KERNELS = """\
#include "tiny.h"
void tiny_add(const int8_t *a, const int8_t *b, int8_t *sum);
void tiny_scan(const int8_t *sum, const int8_t *bias, int8_t *negated, int8_t *total);
void tiny_add(const int8_t *a, const int8_t *b, int8_t *sum) {
    for (int i = 0; i < 8; i++) { sum[i] = (int8_t)(a[i] + b[i]); }
}
void tiny_scan(const int8_t *sum, const int8_t *bias, int8_t *negated, int8_t *total) {
    int8_t running = 0;
    for (int i = 0; i < 8; i++) {
        running = (int8_t)(running + sum[i] + bias[i]);
        negated[i] = (int8_t)-sum[i];
        total[i] = running;
    }
}
"""

WEIGHTS = """\
#include "tiny.h"
extern const int8_t tiny_bias[8];
const int8_t tiny_bias[8] = {1, 0, -1, 2, 0, 0, 3, -2};
"""
BIAS = (1, 0, -1, 2, 0, 0, 3, -2)


def write(directory: Path, **replaced: str) -> Path:
    """Writes the library; `network`, `kernels`, `weights` or `header` replace a file's text."""
    texts = {"header": HEADER, "network": NETWORK, "kernels": KERNELS, "weights": WEIGHTS} | replaced
    names = {"header": "tiny.h", "network": "tiny.c", "kernels": "tiny_kernels.c", "weights": "tiny_weights.c"}
    directory.mkdir(parents=True, exist_ok=True)
    for key, name in names.items():
        (directory / name).write_text(texts[key])
    return directory


def expected(a: bytes, b: bytes) -> tuple[bytes, bytes, bytes]:
    """sum, negated, total: each number modulo 256, as two's complement."""
    total, running = [], 0
    for x, y, c in zip(a, b, BIAS, strict=True):
        running += x + y + c
        total.append(running % 256)
    added = [(x + y) % 256 for x, y in zip(a, b, strict=True)]
    return bytes(added), bytes(-s % 256 for s in added), bytes(total)
