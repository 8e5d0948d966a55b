/* M0 to M4: what an instruction costs is in a table, but for what it shares with the one before it. */
#include "cycles.h"

enum { DIVISION = 6 /* of 2 to 12, by the data; a choice */ };

/* [TRM] with the multiplier of one cycle. */
static unsigned cycles_m0(Core core, const Instruction *d) {
    switch (d->class) {
        case LOAD: case LOAD_SMALL: case STORE: case STORE_SMALL: return 2;
        case LOAD_MULTIPLE: case STORE_MULTIPLE: case LOAD_PC: return 1u + d->count;
        case SYSTEM: return core == CORE_M0 ? 4 : 3;
        default: return 1;
    }
}

/* [TRM] a load directly behind a load takes one cycle less, unless it needs the address that that one loads. [JNK] nor
 * where the base was just written back (M4) or where it writes back itself (M3). */
static bool is_pipelined(Core core, const Instruction *d, const Instruction *previous) {
    if (previous == NULL || !is_small_load(previous) || (previous->results & d->base) != 0) {
        return false;
    }
    return (previous->updated_base & d->base) == 0 && !(core == CORE_M3 && d->updated_base != 0);
}

static bool computes(const Instruction *d) { return d->class <= DIV || d->class == SELECT; }

/* [TRM] [JNK] one cycle more where the address comes from the instruction directly before. */
static unsigned address_stall(const Instruction *d, const Instruction *previous) {
    return previous != NULL && computes(previous) && (previous->results & d->base) != 0;
}

/* [TRM] one cycle more where the next instruction uses the result of FP arithmetic. */
static unsigned fp_stall(const Instruction *d, const Instruction *previous) {
    if (previous == NULL || !is_fp_arithmetic(previous) || previous->class == FP_COMPARE) {
        return 0;
    }
    return (previous->fp_results & (d->fp_sources | d->fp_accumulator | d->fp_stored)) != 0;
}

/* [TRM] M4's FPU. That VLDR follow each other at full cost is its letter; chips may be faster. */
static unsigned cycles_fpu(const Instruction *d) {
    switch (d->class) {
        case FP_LOAD: case FP_STORE: return (d->flags & IS_DOUBLE) ? 3 : 2;
        case FP_LOAD_MULTIPLE: case FP_STORE_MULTIPLE: return 1u + d->count;
        case FP_CORE_MOVE: return d->count;
        case FP_MLA: case FP_FMA: return 3;
        case FP_DIV: case FP_SQRT: return 14;
        default: return 1;
    }
}

/* [TRM] long multiplications of M3 take 3 to 5 cycles, and 4 to 7 when they accumulate. */
static unsigned cycles_m3_m4(Core core, const Instruction *d, const Instruction *previous) {
    const unsigned stall = address_stall(d, previous), access = is_pipelined(core, d, previous) ? 1 : 2;
    switch (d->class) {
        case LOAD: case LOAD_SMALL: return access + stall;
        case STORE: case STORE_SMALL: return ((d->flags & REGISTER_OFFSET) ? access : 1) + stall;
        case LOAD_DOUBLE: case STORE_DOUBLE: return 3 + stall;
        case LOAD_MULTIPLE: case STORE_MULTIPLE: case LOAD_PC: return 1u + d->count + stall;
        case BRANCH_TABLE: return 3 + stall;
        case MLA: return core == CORE_M3 ? 2 : 1;
        case LONG_MUL: return core == CORE_M3 ? 4 : 1;
        case LONG_MLA: return core == CORE_M3 ? 6 : 1;
        case DIV: return DIVISION;
        case IT: return previous == NULL || previous->nbytes != 2 || (previous->flags & IS_BRANCH) != 0; /* folded */
        case SYSTEM: return (d->flags & ROTATES) ? 1 : 2;
        default: return cycles_fpu(d);
    }
}

unsigned table_cycles(Core core, const Instruction *d, const Instruction *previous) {
    if (core <= CORE_M0PLUS) {
        return cycles_m0(core, d);
    }
    return cycles_m3_m4(core, d, previous) + (core == CORE_M4 ? fp_stall(d, previous) : 0);
}
