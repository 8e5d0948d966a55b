"""Counts and cycles of loops whose instructions can be counted, and whose cycles added up, by hand.

Each body is repeated by `subs r7, #1; bne` from an aligned address, for two numbers of passes: the difference is what a
pass takes. The figures of M0 to M4 come from the tables of Arm's Technical Reference Manuals, those of the other cores
from the rules that cycles.h names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import tiny

from mcucompile.run.build import Firmware, build
from mcucompile.run.count import count_instructions
from mcucompile.run.cycles import Costs, cycle_plugin, measure
from mcucompile.run.interface import Block, Interface
from mcucompile.target.board import load_board

PASSES = (100, 200)
LOOP = {"m0": 4, "m3": 3, "m4": 3, "m33": 3}  # subs 1; bne taken: M0 3, M3 and M4 1 + 1, M33 1 + 1
PAIR = "smlad r0,r1,r2,r0; smlad r0,r1,r2,r0"
VECTORS = "vldrw.u32 q0,[r4]; vmla.s32 q1,q2,r0; vldrw.u32 q3,[r4]; vmla.s32 q4,q2,r0"


@dataclass(frozen=True)
class Loop:
    """`body` has `count` instructions and takes `cycles` per core; for M7 and M55 with those that close the loop."""

    name: str
    body: str
    count: int
    cycles: dict[str, int]
    hardware: bool = False  # closed by LE, which counts as an instruction and costs nothing


LOOPS = (
    Loop("nothing", "", 0, {"m0": 0, "m3": 0, "m4": 0, "m33": 0, "m7": 1, "m55": 3}),
    Loop("additions", "adds r0,r1; adds r2,r1; adds r3,r1; eors r5,r1", 4, {"m0": 4, "m3": 4, "m4": 4, "m7": 3}),
    Loop("loads", "ldr r0,[r4]; ldr r1,[r4,#4]; ldr r2,[r4,#8]", 3, {"m0": 6, "m3": 4, "m4": 4}),
    Loop("load of an address", "ldr r0,[r4]; ldr r1,[r0]", 2, {"m0": 4, "m3": 4, "m4": 4}),
    Loop("load and use", "ldr r0,[r4]; adds r1,r0", 2, {"m0": 3, "m3": 3, "m4": 3}),
    Loop("bytes", "ldrb r0,[r4]; ldrb r1,[r4,#1]", 2, {"m0": 4, "m3": 3, "m4": 3}),
    Loop("stores", "str r0,[r4,#16]; str r1,[r4,#20]; str r2,[r4,#24]", 3, {"m0": 6, "m3": 3, "m4": 3}),
    # The examples of the TRM: "normally three cycles total", three, four.
    Loop("load, store", "ldr r0,[r4,r6]; str r0,[r4,#20]", 2, {"m3": 3, "m4": 3}),
    Loop("load, store by register", "ldr r0,[r4,r6]; str r1,[r4,r5]", 2, {"m3": 3, "m4": 3}),
    Loop("three loads", "ldr r0,[r4,r6]; ldr r1,[r4]; ldr r2,[r4,#4]", 3, {"m3": 4, "m4": 4}),
    Loop("store by register", "str r0,[r4,r5]", 1, {"m0": 2, "m3": 2, "m4": 2}),
    Loop("many words", "ldmia r4,{r0-r3}", 1, {"m3": 5, "m4": 5}),
    Loop("stack", "push {r0-r3}; pop {r0-r3}", 2, {"m0": 10, "m3": 10, "m4": 10, "m33": 8}),
    Loop("two words", "ldrd r0,r1,[r4]", 1, {"m3": 3, "m4": 3, "m33": 2}),
    Loop("address just computed", "adds r4,#0; ldr r0,[r4]", 2, {"m0": 3, "m3": 4, "m4": 4}),
    Loop("product", "muls r0,r1", 1, {"m0": 1, "m3": 1, "m4": 1, "m33": 2}),
    Loop("sums of products", "mla r0,r1,r2,r0; mla r3,r1,r2,r3", 2, {"m3": 4, "m4": 2, "m33": 2}),
    Loop("long product", "smull r0,r1,r2,r3", 1, {"m3": 4, "m4": 1}),
    Loop("long sum", "smlal r0,r1,r2,r3", 1, {"m3": 6, "m4": 1}),
    Loop("dual products", PAIR, 2, {"m4": 2, "m33": 2}),
    Loop("division", "sdiv r0,r1,r2", 1, {"m3": 6, "m4": 6}),
    Loop("condition", "cmp r0,r0; it eq; addeq r1,r2", 3, {"m3": 2, "m4": 2}),
    Loop("call", "bl 9f", 2, {"m0": 7, "m3": 5, "m4": 5}),  # M0: BL 4 + BX 3; M4: 1 + 1 and 1 + 2
    Loop("branch", "b 2f; nop; .balign 4; 2:", 1, {"m0": 3, "m3": 2, "m4": 2}),
    Loop("branch not taken", "cbz r7,9f", 1, {"m3": 1, "m4": 1}),
    Loop("real sum of a sum", "vadd.f32 s0,s0,s1; vadd.f32 s0,s0,s1", 2, {"m4": 3}),
    Loop("real sums", "vadd.f32 s0,s0,s1; vadd.f32 s2,s2,s1", 2, {"m4": 2, "m33": 2}),
    Loop("real products", "vfma.f32 s0,s1,s2; vfma.f32 s3,s1,s2", 2, {"m4": 6}),
    Loop("real chain", "vfma.f32 s0,s1,s2; vfma.f32 s0,s1,s2", 2, {"m4": 7, "m33": 4}),
    Loop("real loads", "vldr s0,[r4]; vldr s1,[r4,#4]", 2, {"m4": 4}),
    Loop("real words", "vldmia r4,{s0-s3}", 1, {"m4": 5}),
    Loop("real quotient", "vdiv.f32 s0,s1,s2", 1, {"m4": 14}),
    # Over the end of a page of 1 KB, where QEMU 7.2 errs about sizes.
    Loop("a page of wide ones", "nop; .rept 700; add.w r0,r0,r1; .endr", 701, {"m4": 701}),
    Loop("a page of narrow ones", ".rept 100; adds r0,r1; .endr", 100, {"m0": 100}),
    # M7: one addition to r0 per cycle; subs pairs with the last, bne with the first of the next pass.
    Loop("M7 chain", "add r0,r1; add r0,r2; add r0,r3; add r0,r1", 4, {"m7": 4}),
    Loop("M7 loads", "ldr r0,[r4]; ldr r1,[r4,#4]; ldr r2,[r4,#8]; ldr r3,[r4,#12]", 4, {"m7": 3}),
    Loop("M7 many words", "ldmia r4,{r0-r3}", 1, {"m7": 3}),
    Loop("M7 dual products", f"{PAIR}; {PAIR}", 4, {"m7": 4}),
    Loop("M55 alternating", VECTORS, 4, {"m55": 7}),  # 1 each, as the units alternate; subs 1, bne 2
    Loop("M55 dot products", "vldrb.u8 q0,[r4]; vldrb.u8 q1,[r4]; vmladava.s8 r0,q0,q1", 3, {"m55": 7}),
    Loop("M55 hardware loop", VECTORS, 4, {"m55": 4}, hardware=True),
    Loop("M55 two units", "vadd.i32 q0,q1,q2; vmul.i32 q3,q1,q2", 2, {"m55": 2}, hardware=True),
    Loop("M55 one unit", "vadd.i32 q0,q1,q2; vadd.i32 q3,q1,q2", 2, {"m55": 4}, hardware=True),
)
CORES = ("m0", "m3", "m4", "m7", "m33", "m55")
INTERFACE = Interface("loops", (Block("x", 8),), (Block("y", 8),), ())
HEADER = """
#include <stddef.h>
#include <stdint.h>
#define LOOPS_ARENA_SIZE 256
int loops_init(void *arena, size_t size, void *state);
int loops_run(void);
int8_t *loops_x(void);
int8_t *loops_y(void);
"""
NETWORK = """
#include "loops.h"
extern int8_t loops_arena[256];
%s
int loops_init(void *arena, size_t size, void *state) { (void)arena; (void)size; (void)state; return 0; }
int8_t *loops_x(void) { return loops_arena; }
int8_t *loops_y(void) { return loops_arena; }
int loops_run(void) { %s return 0; }
"""
# r4 is an address, which the arena's first word also holds; r5 and r6 are offsets.
KERNEL = """
.global {name}
.type {name}, %function
.thumb_func
{name}:
 push {{r4-r7,lr}}
 ldr r4,=loops_arena
 str r4,[r4]
 movs r6,#0
 movs r5,#32
 movs r0,#1
 movs r1,#3
 movs r2,#1
 movs r3,#1
 {start}
 .balign 4
1:
 {body}
 {end}
 pop {{r4-r7,pc}}
 .balign 4
9: bx lr
 .ltorg
"""


def kernel(name: str, loop: Loop, passes: int) -> str:
    start, end = (f"mov lr,#{passes}\n dls lr,lr", "le lr,1b") if loop.hardware else (
        f"movs r7,#{passes}", "subs r7,#1\n bne 1b"
    )  # fmt: skip
    return KERNEL.format(name=name, start=start, end=end, body=loop.body.replace("; ", "\n "))


def library(loops: list[Loop], folder: Path) -> list[str]:
    """A network whose steps are the loops, with the names of their functions."""
    parts = [(f"loop_{i}_{passes}", loop, passes) for i, loop in enumerate(loops) for passes in PASSES]
    names = [name for name, _, _ in parts]
    assembly = "".join(kernel(*part) for part in parts).replace("\n", '\\n"\n    "').replace("%", "%%")
    folder.mkdir()
    (folder / "loops.h").write_text(HEADER)
    prototypes, calls = ("\n".join(f"void {n}(void);" for n in names), " ".join(f"{n}();" for n in names))
    (folder / "loops.c").write_text(NETWORK % (prototypes, calls))
    text = f'__asm__(".syntax unified\\n.text\\n    {assembly}");'.replace("%%", "%")
    (folder / "loops_kernels.c").write_text(f'#include "loops.h"\nint8_t loops_arena[256];\n{text}\n')
    return names


def measured(core: str, loops: list[Loop], tmp_path: Path) -> tuple[Firmware, Costs]:
    if cycle_plugin().path is None:
        pytest.skip(f"cycles cannot be estimated: {cycle_plugin().missing}")
    names, board = library(loops, tmp_path / "library"), load_board(f"qemu-{core}")
    firmware = build(tmp_path / "library", INTERFACE, board, tmp_path / "work", hook=False)
    return firmware, measure(firmware, board, names, [bytes(8)])


@pytest.mark.parametrize("core", CORES)
def test_loops(emulator: None, tmp_path: Path, core: str) -> None:
    loops = [loop for loop in LOOPS if core in loop.cycles]
    _, costs = measured(core, loops, tmp_path)
    wrong = []
    for i, loop in enumerate(loops):
        short, long = costs.steps[2 * i : 2 * i + 2]
        passes = PASSES[1] - PASSES[0]
        closing = 1 if loop.hardware else 2
        wanted = (loop.count + closing, loop.cycles[core] + LOOP.get(core, 0))
        got = ((long.instructions - short.instructions) / passes, (long.cycles - short.cycles) / passes)
        wrong += [f"{loop.name}: {got} instructions and cycles instead of {wanted}"] if got != wanted else []
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("core", CORES)
def test_agrees_with_the_emulators_clock(emulator: None, tmp_path: Path, core: str) -> None:
    """Two ways of counting that share nothing but the emulator."""
    library = tiny.write(tmp_path / "library")
    board, sample = load_board(f"qemu-{core}"), [bytes(8), bytes(8)]
    firmware = build(library, tiny.INTERFACE, board, tmp_path / "work", hook=False)
    counted = count_instructions(firmware, board, sample).total
    costs = measure(firmware, board, ["tiny_add", "tiny_scan"], sample)
    # The clock's count includes the call of the run function and what returns from it.
    assert 0 <= counted - costs.total.instructions <= 10
    assert costs == measure(firmware, board, ["tiny_add", "tiny_scan"], sample)


def test_every_instruction_is_in_a_step_or_between(emulator: None, tmp_path: Path) -> None:
    loops = [loop for loop in LOOPS if loop.name in ("nothing", "additions", "call")]
    _, costs = measured("m4", loops, tmp_path)
    # Beside the passes: push, ldr, str, seven movs and pop, 11.
    setup = [c.instructions - p * (n + 2) for c, (n, p) in zip(
        costs.steps, [(loop.count, p) for loop in loops for p in PASSES], strict=True)]  # fmt: skip
    assert len(set(setup)) == 1 and setup[0] == 11
    calls = len(costs.steps)
    assert calls < costs.overhead.instructions <= calls + 6
    assert costs.total.instructions == sum(c.instructions for c in costs.steps) + costs.overhead.instructions
