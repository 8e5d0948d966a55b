/* M7, M33, M55: which instructions can begin together, and which wait for a unit. */
#include "cycles.h"

/* M33 moves a word per cycle, M7 and M55 two; that LDM of M55 does so is a choice. */
static unsigned transfer_cycles(Core core, const Instruction *d) {
    const unsigned words = d->count ? d->count : 1;
    return core == CORE_M33 ? words : (words + 1) / 2;
}

/* Double precision: [JNK] for M7, choices for the others, which have little of it. */
static unsigned double_cycles(Core core, const Instruction *d) {
    const bool adds = d->class == FP_ADD || d->class == FP_CONVERT || d->class == FP_COMPARE;
    if (d->class == FP_DIV || d->class == FP_SQRT) {
        return core == CORE_M7 ? 30 : core == CORE_M55 ? 29 : 60;
    }
    if (core == CORE_M7) {
        return d->class == FP_MUL ? 5 : adds ? 2 : 7;
    }
    return core == CORE_M33 ? 20 : d->class == FP_ADD ? 2 : 4;
}

unsigned issue_cycles(Core core, const Instruction *d) {
    if (is_fp_arithmetic(d) && (d->flags & IS_DOUBLE)) {
        return double_cycles(core, d);
    }
    switch (d->class) {
        case LOAD_MULTIPLE: case STORE_MULTIPLE: case LOAD_PC: case FP_LOAD_MULTIPLE: case FP_STORE_MULTIPLE:
            return transfer_cycles(core, d);
        case LOAD_DOUBLE: case STORE_DOUBLE: return core == CORE_M33 ? 2 : 1;
        case FP_LOAD: case FP_STORE: return core == CORE_M33 && (d->flags & IS_DOUBLE) ? 2 : 1;
        case DIV: return core == CORE_M7 ? 7 : 6; /* depends on the data; a choice */
        case FP_DIV: return core == CORE_M7 ? 16 : 14;
        case FP_SQRT: return 14;
        case FP_CORE_MOVE: return core == CORE_M33 && d->count == 2 && d->results != 0 ? 2 : 1;
        case MUL: return core == CORE_M33 && d->nbytes == 2 ? 2 : 1; /* MULS sets flags */
        case SYSTEM: return (d->flags & ROTATES) ? 1 : 3;
        case BRANCH_TABLE: return 2;
        default: return 1;
    }
}

static bool multiplies(const Instruction *d) { return d->class >= MUL && d->class <= LONG_MLA; }
static bool accumulates_fp(const Instruction *d) { return d->class == FP_MLA || d->class == FP_FMA; }
static bool is_store(const Instruction *d) {
    return d->class == STORE || d->class == STORE_SMALL || d->class == FP_STORE;
}
static bool is_load(const Instruction *d) { return is_small_load(d) || d->class == FP_LOAD; }
static bool is_bitfield(const Instruction *d) { return d->class == BITFIELD || d->class == DSP_ALU; }
static bool uses_shifter(const Instruction *d) {
    return d->class == ALU_SHIFTED || (d->class == ALU && (d->flags & ROTATES) != 0);
}
static bool touches_fp_registers(const Instruction *d) {
    return d->class == FP_LOAD || d->class == FP_STORE || d->class == FP_MOVE || d->class == FP_CORE_MOVE;
}

/* [JNK] what M7 only issues alone. */
static bool is_alone(const Instruction *d) {
    switch (d->class) {
        case LOAD_MULTIPLE: case STORE_MULTIPLE: case LOAD_PC: case LOAD_DOUBLE: case STORE_DOUBLE: case DIV:
        case SYSTEM: case BRANCH_TABLE: case FP_LOAD_MULTIPLE: case FP_STORE_MULTIPLE: case FP_DIV: case FP_SQRT:
            return true;
        case FP_CORE_MOVE: return d->count == 2;
        default: return (d->flags & IS_DOUBLE) && (is_fp_arithmetic(d) || d->class == FP_LOAD || d->class == FP_STORE);
    }
}

/* [JNK] [SLO] two loads: not where the second needs the base that the first updates, nor from the same bank. */
static bool can_load_together(const Instruction *older, const Instruction *younger) {
    const unsigned flags = older->flags | younger->flags;
    const bool same_bank = older->base == younger->base && (((older->offset ^ younger->offset) >> 2) & 1) == 0;
    return !(same_bank && !(flags & (REGISTER_OFFSET | IS_LITERAL))) && (older->updated_base & younger->base) == 0;
}

/* [JNK] [SLO] whether M7 issues both in one cycle, where operands allow it. */
static bool can_pair(const Instruction *older, const Instruction *younger) {
    if (is_alone(older) || is_alone(younger) || is_bitfield(younger)) {
        return false;
    }
    const bool either_multiplies = multiplies(older) || multiplies(younger);
    const bool either_stores = is_store(older) || is_store(younger);
    const bool both_shift = (is_bitfield(older) || uses_shifter(older)) && uses_shifter(younger);
    if ((multiplies(older) && multiplies(younger)) || (is_store(older) && is_store(younger)) || both_shift ||
        (either_multiplies && either_stores) || (is_fp_arithmetic(older) && is_fp_arithmetic(younger))) {
        return false;
    }
    if ((accumulates_fp(older) && touches_fp_registers(younger)) ||
        (accumulates_fp(younger) && touches_fp_registers(older))) {
        return false;
    }
    if (is_load(older) && is_load(younger) && !can_load_together(older, younger)) {
        return false;
    }
    return !((older->flags & IS_BRANCH) && (younger->flags & IS_BRANCH));
}

void step_m7(Pipeline *p, const Instruction *d) {
    const unsigned cycles = issue_cycles(CORE_M7, d);
    const bool waits_for_fpu = (is_fp_arithmetic(d) && !accumulates_fp(d)) || d->class == FP_LOAD_MULTIPLE ||
                               d->class == FP_STORE_MULTIPLE;
    long ready = operands_ready(p, d);
    if (waits_for_fpu && p->fpu_free > ready) {
        ready = p->fpu_free;
    }
    const bool is_younger = p->previous != NULL && ready <= p->time && can_pair(p->previous, d);
    if (!is_younger) {
        p->time += p->previous != NULL;
        p->time = ready > p->time ? ready : p->time;
    }
    set_results(p, d, p->time + cycles - 1);
    if (accumulates_fp(d)) {
        p->fpu_free = p->time + 4;
    }
    const bool ends_cycle = is_younger || is_alone(d) || cycles > 1;
    p->time += is_younger ? 1 : ends_cycle ? cycles : 0;
    p->previous = ends_cycle ? NULL : d;
}

/* [JNK] a 16-bit IT, NOP or branch rides along with the 16-bit instruction before it; taken, only where that does not
 * set flags. */
static bool rides_along(const Pipeline *p, const Instruction *d, bool is_taken) {
    const Instruction *o = p->previous;
    if (o == NULL || o->nbytes != 2 || d->nbytes != 2 || (o->flags & IS_BRANCH) || o->class == IT || o->class == NOP) {
        return false;
    }
    if (d->class == IT || d->class == NOP) {
        return true;
    }
    const bool is_direct = d->class == BRANCH_IF || d->class == BRANCH_ZERO || d->class == BRANCH;
    return is_direct && (!is_taken || !(o->flags & SETS_FLAGS));
}

/* Takes a unit from the time on at which it is free, for some cycles. */
static void take_unit(long *free, long *time, unsigned cycles) {
    *time = cycles > 0 && *free > *time ? *free : *time;
    *free = cycles > 0 ? *time + cycles : *free;
}

/* [SLO] a vector instruction keeps its unit for two cycles, while those of other units go on. Gathers access two words
 * per cycle (a choice). */
static void take_units(Pipeline *p, const Instruction *d, long *time, unsigned cycles) {
    switch (d->class) {
        case MVE_LOAD: case MVE_STORE: case MVE_LOAD_INTERLEAVED: case MVE_STORE_INTERLEAVED:
            take_unit(&p->load_free, time, 2);
            return;
        case MVE_GATHER: case MVE_SCATTER:
            take_unit(&p->load_free, time, d->elements < 4 ? 2 : d->elements / 2);
            return;
        case MVE_ALU: case MVE_COMPARE: case MVE_REDUCE: take_unit(&p->alu_free, time, 2); return;
        case MVE_MUL: case MVE_MLA: case MVE_DOT: case MVE_FP: case MVE_FMA:
            take_unit(&p->multiplier_free, time, 2);
            return;
        case LOAD: case LOAD_SMALL: case STORE: case STORE_SMALL: case LOAD_DOUBLE: case STORE_DOUBLE: case FP_LOAD:
        case FP_STORE:
            take_unit(&p->load_free, time, 1);
            return;
        case LOAD_MULTIPLE: case STORE_MULTIPLE: case LOAD_PC: case FP_LOAD_MULTIPLE: case FP_STORE_MULTIPLE:
            take_unit(&p->load_free, time, cycles);
            return;
        default: take_unit(&p->multiplier_free, time, is_fp_arithmetic(d) ? cycles : 0);
    }
}

void step_m33_m55(Pipeline *p, const Instruction *d, bool is_taken) {
    if (d->class == LOOP_END) { /* free; the first pass is charged where the loop ends */
        p->previous = d;
        return;
    }
    const long ready = operands_ready(p, d);
    if (rides_along(p, d, is_taken) && (d->class != BRANCH_ZERO || ready <= p->time - 1)) {
        p->previous = NULL;
        return;
    }
    long time = ready > p->time ? ready : p->time;
    const unsigned cycles = issue_cycles(p->core, d);
    if (p->core == CORE_M55) {
        take_units(p, d, &time, cycles);
    } else if (is_fp_arithmetic(d) || (d->class >= FP_LOAD && d->class <= FP_CORE_MOVE)) {
        time = p->fpu_free > time ? p->fpu_free : time;
        p->fpu_free = accumulates_fp(d) ? time + 3 : p->fpu_free;
    }
    set_results(p, d, time + cycles - 1);
    p->time = time + cycles;
    p->previous = d;
}
