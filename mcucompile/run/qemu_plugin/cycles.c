/* Runs a sequence of instructions through the model of a core; what branches cost. */
#include "cycles.h"

#include <string.h>

Core core_named(const char *name) {
    static const char *const names[CORE_COUNT] = {"m0", "m0plus", "m3", "m4", "m7", "m33", "m55"};
    unsigned i = 0;
    while (i < CORE_COUNT && strcmp(name, names[i]) != 0) {
        i++;
    }
    return (Core)i;
}

/* [TRM] M0: B 3, BL 4, BX and BLX 3, POP {pc} 4 + N; M0+: 2, 3, 2, 3 + N. Here without the instruction's own cycle. */
static unsigned refill_m0(const Instruction *branch) {
    return branch->class == CALL || branch->class == LOAD_PC ? 3 : 2;
}

/* [TRM] 1 to 3 cycles, "depending on the alignment and width of the target instruction, and whether the processor
 * manages to speculate the address early". The choice: 1, and 1 more each for a target of 32 bits that is not aligned
 * and for an address that comes from a register; 3 where it comes from memory. */
static unsigned refill_m3_m4(const Instruction *branch, const Instruction *target) {
    if (branch->class == LOAD_PC || branch->class == BRANCH_TABLE) {
        return 3;
    }
    const bool is_split = target->nbytes == 4 && (target->address & 3) != 0;
    return 1u + is_split + ((branch->flags & IS_INDIRECT) != 0);
}

/* [JNK] M33 loses a cycle on a direct branch; LE of M55 costs nothing. TBB is a choice, and so is M55, like M33. */
static unsigned refill_m33_m55(const Instruction *branch) {
    if (branch->class == LOOP_END) {
        return 0;
    }
    if (!(branch->flags & IS_INDIRECT)) {
        return 1;
    }
    return branch->class == LOAD_PC ? 3 : branch->class == BRANCH_TABLE ? 4 : 2;
}

static unsigned refill(Core core, const Instruction *branch, const Instruction *target) {
    switch (core) {
        case CORE_M0: return refill_m0(branch);
        case CORE_M0PLUS: return refill_m0(branch) - 1;
        case CORE_M3:
        case CORE_M4: return refill_m3_m4(branch, target);
        case CORE_M7: /* [JNK] predicted branches are free; TBB is a choice */
            return !(branch->flags & IS_INDIRECT) ? 0 : branch->class == BRANCH_TABLE ? 4 : 2;
        default: return refill_m33_m55(branch);
    }
}

static long table_sequence(Core core, const Instruction *const *sequence, const bool *taken, unsigned count) {
    long time = 0;
    const Instruction *previous = NULL;
    for (unsigned i = 0; i < count; i++) {
        time += table_cycles(core, sequence[i], previous);
        previous = sequence[i];
        if (taken[i] && i + 1 < count) {
            time += refill(core, sequence[i], sequence[i + 1]);
            previous = NULL; /* nothing overlaps across a refill */
        }
    }
    return time;
}

static long pipeline_sequence(Core core, const Instruction *const *sequence, const bool *taken, unsigned count) {
    Pipeline p = {.core = core};
    for (unsigned i = 0; i < count; i++) {
        if (core == CORE_M7) {
            step_m7(&p, sequence[i]);
        } else {
            step_m33_m55(&p, sequence[i], taken[i]);
        }
        const unsigned extra = taken[i] && i + 1 < count ? refill(core, sequence[i], sequence[i + 1]) : 0;
        if (extra > 0 && core == CORE_M7 && p.previous != NULL) { /* the cycle ends with one instruction in it */
            p.time++;
            p.previous = NULL;
        }
        p.time += extra;
    }
    return p.time + (core == CORE_M7 && p.previous != NULL);
}

long cycles_of(Core core, const Instruction *const *sequence, const bool *taken, unsigned count) {
    return core <= CORE_M4 ? table_sequence(core, sequence, taken, count)
                           : pipeline_sequence(core, sequence, taken, count);
}
