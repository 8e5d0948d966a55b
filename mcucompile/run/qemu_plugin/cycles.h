/* Estimates of how many cycles instructions take on a Cortex-M core.
 *
 * Memory without wait states, no caches, no contention on buses, aligned data, no interrupts. Counts of instructions
 * are exact; cycles are estimates, which can be off by some 10 % on M0 to M33 and 20 % on M7 and M55: compare them with
 * each other, not with a board.
 *
 * Sources: [TRM] the tables of Arm's Technical Reference Manuals of M0, M0+, M3 and M4 (r0p1), and their text on the
 * timing of loads and stores. [JNK] measurements on M3, M4, M7 and M33 silicon, published in github.com/jnk0le/random,
 * "pipeline cycle test". [SLO] the tables for M55 and M7 of the optimiser github.com/slothy-optimizer/slothy, which its
 * authors checked on hardware. What has no source is a choice, and says so. */
#ifndef CYCLES_H
#define CYCLES_H

#include "instruction.h"

typedef enum { CORE_M0, CORE_M0PLUS, CORE_M3, CORE_M4, CORE_M7, CORE_M33, CORE_M55, CORE_COUNT } Core;

/* The core of a name such as "m4", or CORE_COUNT. */
Core core_named(const char *name);

/* Cycles of instructions that run one after the other; taken[i]: the i-th is a branch, and it is taken. */
long cycles_of(Core core, const Instruction *const *sequence, const bool *taken, unsigned count);

/* Cycles that one instruction alone keeps the core from issuing another. */
unsigned issue_cycles(Core core, const Instruction *d);

/* [JNK] a branch that M7 predicted wrongly costs 6 to 8 cycles. */
enum { M7_MISPREDICTED = 7 };
/* The first pass of a loop of Armv8.1-M executes its LE; the later ones do not (a choice). */
enum { M55_LOOP_EXIT = 3 };

/* --- between the files of the models --- */

static inline bool is_small_load(const Instruction *d) { return d->class == LOAD || d->class == LOAD_SMALL; }
static inline bool is_fp_arithmetic(const Instruction *d) { return d->class >= FP_ADD && d->class <= FP_COMPARE; }

/* M0 to M4: the cycles of an instruction behind `previous`, which may be NULL, without the refill after a branch. */
unsigned table_cycles(Core core, const Instruction *d, const Instruction *previous);

/* Which result of which instruction is ready when, in the cores with forwarding paths. */
typedef struct {
    Core core;
    long time;       /* of the next instruction; M7: the present cycle */
    long fpu_free, load_free, alu_free, multiplier_free; /* when these units can take the next instruction */
    const Instruction *previous; /* M33, M55; M7: the older instruction of the present cycle, or NULL */
    long core_time[16], fp_time[32];
    uint8_t core_producer[16], fp_producer[32];
} Pipeline;

long operands_ready(const Pipeline *p, const Instruction *d);
void set_results(Pipeline *p, const Instruction *d, long time);
void step_m7(Pipeline *p, const Instruction *d);
void step_m33_m55(Pipeline *p, const Instruction *d, bool is_taken);

#endif
