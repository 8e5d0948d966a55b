/* Decoder of Thumb and Thumb-2: what the cycle models need to know of an instruction. The order of the cases and the
 * names of fields follow the encoding tables of the Armv7-M and Armv8.1-M architecture reference manuals. */
#include "instruction.h"

#include <string.h>

enum { SP = 13, LR = 14, PC = 15 };

const char *class_name(unsigned class) {
    static const char *const names[] = {
#define X(name, text) text,
        INSTRUCTION_CLASSES(X)
#undef X
    };
    return names[class];
}

static uint8_t count_of(uint16_t registers) { return (uint8_t)__builtin_popcount(registers); }

static void set(Instruction *d, Class class, unsigned flags) {
    d->class = (uint8_t)class;
    d->flags |= (uint16_t)flags;
}

static void decode16_arithmetic(Instruction *d, uint16_t h) {
    const unsigned low = h & 7, second = (h >> 3) & 7, third = (h >> 6) & 7, high = (h >> 8) & 7;
    const bool is_move = (h >> 11) == 0 && (h & 0x7C0) == 0;
    switch (h >> 11) {
        case 0: case 1: case 2: /* shift by a constant; by 0 it is a move */
            set(d, is_move ? ALU : SHIFT, SETS_FLAGS);
            d->results = reg(low);
            d->sources = reg(second);
            return;
        case 3: /* add, subtract: three registers, or a small constant */
            set(d, ALU, SETS_FLAGS);
            d->results = reg(low);
            d->sources = (uint16_t)(reg(second) | ((h & 0x400) ? 0 : reg(third)));
            return;
        case 4: /* move a constant */
            set(d, ALU, SETS_FLAGS);
            d->results = reg(high);
            return;
        case 5: /* compare with a constant */
            set(d, ALU, SETS_FLAGS);
            d->sources = reg(high);
            return;
        default: /* add, subtract a constant */
            set(d, ALU, SETS_FLAGS);
            d->results = d->sources = reg(high);
    }
}

static void decode16_registers(Instruction *d, uint16_t h) {
    const unsigned rd = h & 7, rm = (h >> 3) & 7, operation = (h >> 6) & 15;
    set(d, ALU, SETS_FLAGS);
    d->sources = (uint16_t)(reg(rm) | reg(rd));
    d->results = reg(rd);
    switch (operation) {
        case 2: case 3: case 4: case 7: set(d, SHIFT, 0); return;
        case 8: case 10: case 11: d->results = 0; return; /* TST, CMP, CMN */
        case 9: case 15: d->sources = reg(rm); return;    /* RSB, MVN */
        case 13:
            set(d, MUL, 0);
            d->factors = d->sources;
            d->sources = 0;
            return;
        default: return;
    }
}

/* Moves, additions and comparisons with high registers, and branches to registers. */
static void decode16_special(Instruction *d, uint16_t h) {
    const unsigned operation = (h >> 8) & 3, rd = (h & 7) | ((h >> 4) & 8), rm = (h >> 3) & 15;
    const bool is_compare = operation == 1, is_move = operation == 2;
    if (operation == 3) {
        set(d, (h & 0x80) ? CALL_REGISTER : BRANCH_REGISTER, IS_BRANCH | IS_INDIRECT | ((h & 0x80) ? IS_CALL : 0));
        d->results = (h & 0x80) ? reg(LR) : 0;
        d->sources = reg(rm);
        return;
    }
    if (h == 0x46C0) { /* MOV r8, r8 is the NOP of old assemblers */
        set(d, NOP, 0);
        return;
    }
    set(d, ALU, is_compare ? SETS_FLAGS : 0);
    d->sources = (uint16_t)(reg(rm) | (is_move ? 0 : reg(rd)));
    d->results = is_compare ? 0 : reg(rd);
    if (!is_compare && rd == PC) {
        set(d, BRANCH_REGISTER, IS_BRANCH | IS_INDIRECT);
    }
}

static void access(Instruction *d, Class class, unsigned data, uint16_t base, unsigned offset) {
    set(d, class, 0);
    d->base = base;
    d->offset = (int16_t)offset;
    if (class == STORE || class == STORE_SMALL) {
        d->stored = reg(data);
    } else {
        d->results = reg(data);
    }
}

static void decode16_memory(Instruction *d, uint16_t h) {
    static const uint8_t by_register[8] = {STORE, STORE_SMALL, STORE_SMALL, LOAD_SMALL,
                                           LOAD,  LOAD_SMALL,  LOAD_SMALL,  LOAD_SMALL};
    static const uint8_t by_constant[6] = {STORE, LOAD, STORE_SMALL, LOAD_SMALL, STORE_SMALL, LOAD_SMALL};
    const unsigned operation = h >> 11, rd = h & 7, rn = (h >> 3) & 7, rm = (h >> 6) & 7, number = (h >> 6) & 31;
    if (operation == 9) {
        set(d, LOAD, IS_LITERAL);
        d->results = reg((h >> 8) & 7);
    } else if (operation < 12) {
        access(d, by_register[(h >> 9) & 7], rd, (uint16_t)(reg(rn) | reg(rm)), 0);
        d->flags |= REGISTER_OFFSET;
    } else if (operation < 18) {
        static const uint8_t scales[3] = {4, 1, 2};
        access(d, by_constant[operation - 12], rd, reg(rn), number * scales[(operation - 12) / 2]);
    } else {
        access(d, operation == 18 ? STORE : LOAD, (h >> 8) & 7, reg(SP), (h & 255u) * 4);
    }
}

static void decode16_stack(Instruction *d, uint16_t h, bool is_load) {
    d->base = d->updated_base = reg(SP);
    d->count = count_of(h & 0x1FF);
    if (!is_load) {
        set(d, STORE_MULTIPLE, 0);
        d->stored = (uint16_t)((h & 255) | ((h & 0x100) ? reg(LR) : 0));
    } else if (h & 0x100) {
        set(d, LOAD_PC, IS_BRANCH | IS_INDIRECT);
        d->results = h & 255;
    } else {
        set(d, LOAD_MULTIPLE, 0);
        d->results = h & 255;
    }
}

static void decode16_miscellaneous(Instruction *d, uint16_t h) {
    const unsigned rd = h & 7, rm = (h >> 3) & 7;
    if ((h & 0xFF00) == 0xB000) { /* move the stack pointer */
        set(d, ALU, 0);
        d->results = d->sources = reg(SP);
    } else if ((h & 0xF500) == 0xB100) {
        set(d, BRANCH_ZERO, IS_BRANCH | IS_CONDITIONAL);
        d->sources = reg(rd);
    } else if ((h & 0xFF00) == 0xB200 || ((h & 0xFF00) == 0xBA00 && (h & 0xC0) != 0x80)) { /* extend, reverse */
        set(d, BITFIELD, 0);
        d->results = reg(rd);
        d->sources = reg(rm);
    } else if ((h & 0xF600) == 0xB400) {
        decode16_stack(d, h, (h & 0x800) != 0);
    } else if ((h & 0xFF00) == 0xBF00) {
        set(d, (h & 15) ? IT : NOP, 0);
    } else {
        set(d, SYSTEM, (h & 0xFF00) == 0xBE00 ? IS_BRANCH : 0); /* a breakpoint is a call of the emulator */
    }
}

static void decode16_multiple(Instruction *d, uint16_t h) {
    const uint16_t registers = h & 255, base = reg((h >> 8) & 7);
    d->base = base;
    d->count = count_of(registers);
    if (h & 0x800) {
        set(d, LOAD_MULTIPLE, 0);
        d->results = registers;
        d->updated_base = (registers & base) ? 0 : base;
    } else {
        set(d, STORE_MULTIPLE, 0);
        d->stored = registers;
        d->updated_base = base;
    }
}

static void decode16(Instruction *d, uint16_t h) {
    const unsigned operation = h >> 11;
    if (operation < 8) {
        decode16_arithmetic(d, h);
    } else if (operation == 8) {
        if ((h >> 10) == 0x10) {
            decode16_registers(d, h);
        } else {
            decode16_special(d, h);
        }
    } else if (operation < 20) {
        decode16_memory(d, h);
    } else if (operation < 22) { /* addresses from PC or SP */
        set(d, ALU, 0);
        d->results = reg((h >> 8) & 7);
        d->sources = operation == 21 ? reg(SP) : 0;
    } else if (operation < 24) {
        decode16_miscellaneous(d, h);
    } else if (operation < 26) {
        decode16_multiple(d, h);
    } else if (operation < 28) {
        const bool is_system = ((h >> 8) & 15) >= 14;
        set(d, is_system ? SYSTEM : BRANCH_IF, IS_BRANCH | (is_system ? 0 : IS_CONDITIONAL));
    } else if (operation == 28) {
        set(d, BRANCH, IS_BRANCH);
    }
}

static void decode32_multiple(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned rn = h1 & 15;
    const bool is_load = h1 & 0x10;
    if (rn == PC && is_load) { /* CLRM */
        set(d, ALU, 0);
        d->count = count_of(h2);
        d->results = h2 & 0x7FFF;
        return;
    }
    d->count = count_of(h2);
    d->base = reg(rn);
    d->updated_base = (h1 & 0x20) ? reg(rn) : 0;
    if (!is_load) {
        set(d, STORE_MULTIPLE, 0);
        d->stored = h2;
    } else {
        set(d, (h2 & 0x8000) ? LOAD_PC : LOAD_MULTIPLE, (h2 & 0x8000) ? IS_BRANCH | IS_INDIRECT : 0);
        d->results = h2 & 0x7FFF;
    }
}

/* Exclusive and ordered accesses, and branches by a table. */
static void decode32_exclusive(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned rn = h1 & 15, rt = h2 >> 12, rd = (h2 >> 8) & 15, rm = h2 & 15, operation = (h2 >> 4) & 15;
    const bool is_sized = h1 & 0x80, is_load = h1 & 0x10;
    d->base = reg(rn);
    if (is_sized && is_load && operation < 2) {
        set(d, BRANCH_TABLE, IS_BRANCH | IS_INDIRECT);
        d->base |= reg(rm);
    } else if (!is_sized && !is_load && rt == PC) { /* TT */
        set(d, SYSTEM, 0);
    } else if (is_load) {
        set(d, LOAD, 0);
        d->results = reg(rt);
    } else {
        set(d, STORE, 0);
        d->stored = reg(rt);
        d->results = !is_sized ? reg(rd) : operation < 8 || operation >= 12 ? reg(rm) : 0; /* whether it worked */
    }
}

static void decode32_double(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned rn = h1 & 15, rt = h2 >> 12, rt2 = (h2 >> 8) & 15;
    const bool pre = h1 & 0x100, write_back = h1 & 0x20, is_load = h1 & 0x10;
    if (h1 == 0xE97F && h2 == 0xE97F) { /* SG */
        set(d, SYSTEM, 0);
        return;
    }
    if (!pre && !write_back) {
        decode32_exclusive(d, h1, h2);
        return;
    }
    set(d, is_load ? LOAD_DOUBLE : STORE_DOUBLE, 0);
    d->base = reg(rn);
    d->updated_base = write_back ? reg(rn) : 0;
    d->count = 2;
    d->offset = (int16_t)((h2 & 255) * 4);
    *(is_load ? &d->results : &d->stored) = (uint16_t)(reg(rt) | reg(rt2));
}

static void decode32_shifted_register(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned operation = (h1 >> 5) & 15, rn = h1 & 15, rd = (h2 >> 8) & 15, rm = h2 & 15;
    const bool sets_flags = h1 & 0x10, is_shifted = (h2 & 0x70F0) != 0;
    if ((h1 & 0xFFF0) == 0xEA50 && (h2 & 0x8000)) {
        set(d, SELECT, 0);
        d->results = reg(rd);
        d->sources = (uint16_t)(reg(rn) | reg(rm));
        return;
    }
    if (operation == 2 && sets_flags && (rm == PC || ((h2 & 0xD) == 0xD && rm != 0))) {
        set(d, LONG_SHIFT, 0);
        d->results = d->sources = (uint16_t)(reg(rn & 14) | reg(rd | 1));
        return;
    }
    d->flags |= sets_flags && operation != 6 ? SETS_FLAGS : 0;
    d->results = reg(rd);
    if (operation == 6) { /* PKHBT, PKHTB */
        set(d, DSP_ALU, 0);
        d->sources = reg(rn);
        d->early_sources = reg(rm);
    } else if (operation == 2 && rn == PC) { /* MOV, or a shift by a constant */
        set(d, is_shifted ? SHIFT : ALU, 0);
        d->sources = reg(rm);
    } else if (is_shifted) {
        set(d, ALU_SHIFTED, 0);
        d->early_sources = reg(rm);
        d->sources = reg(rn);
    } else {
        set(d, ALU, 0);
        d->sources = (uint16_t)(reg(rn) | reg(rm));
    }
}

/* Hardware loops of Armv8.1-M, and VCTP among them. */
static void decode32_loop(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned rn = h1 & 15;
    if (h1 & 0x0780) { /* BF and its like are hints */
        set(d, NOP, 0);
    } else if (rn == PC && !(h2 & 0x2000)) {
        set(d, LOOP_END, IS_BRANCH | IS_CONDITIONAL);
        d->sources = d->results = reg(LR);
    } else if (h2 == 0xE801) {
        set(d, MVE_PREDICATE, 0);
        d->sources = reg(rn);
    } else if (h2 == 0xE001 && rn == PC) { /* LCTP */
        set(d, SYSTEM, 0);
    } else { /* DLS; WLS may skip the loop */
        set(d, LOOP_START, (h2 & 0x2000) ? 0 : IS_BRANCH | IS_CONDITIONAL);
        d->sources = reg(rn);
        d->results = reg(LR);
    }
}

static void decode32_control(Instruction *d, uint16_t h1, uint16_t h2) {
    if (h2 & 0x4000) {
        if (h2 & 0x1000) {
            set(d, CALL, IS_BRANCH | IS_CALL);
            d->results = reg(LR);
        } else {
            decode32_loop(d, h1, h2);
        }
    } else if (h2 & 0x1000) {
        set(d, BRANCH, IS_BRANCH);
    } else if (((h1 >> 6) & 15) < 14) {
        set(d, BRANCH_IF, IS_BRANCH | IS_CONDITIONAL);
    } else if ((h1 & 0xFFF0) == 0xF3A0) {
        set(d, NOP, 0);
    } else {
        const bool is_undefined = (h1 & 0xFFE0) == 0xF7E0;
        set(d, SYSTEM, is_undefined ? IS_BRANCH : 0);
        d->results = (h1 & 0xFFE0) == 0xF3E0 ? reg((h2 >> 8) & 15) : 0; /* MRS */
        d->sources = (h1 & 0xFFE0) == 0xF380 ? reg(h1 & 15) : 0;        /* MSR */
    }
}

static void decode32_constant(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned rn = h1 & 15, rd = (h2 >> 8) & 15;
    d->results = reg(rd);
    if (!(h1 & 0x200)) { /* with a constant that may be rotated or repeated */
        set(d, ALU, ((h1 & 0x10) ? SETS_FLAGS : 0) | ((h1 & 0x400) || (h2 & 0x4000) ? ROTATES : 0));
        d->sources = reg(rn);
        return;
    }
    switch ((h1 >> 4) & 31) {
        case 0: case 10: /* ADDW, SUBW */
            set(d, ALU, 0);
            d->sources = reg(rn);
            return;
        case 4: set(d, ALU, 0); return; /* MOVW */
        case 12:                        /* MOVT */
            set(d, ALU, 0);
            d->sources = reg(rd);
            return;
        case 16: case 24: /* SSAT, USAT */
        case 18: case 26: /* SSAT16, USAT16, or the former with a right shift */
            set(d, DSP_ALU, 0);
            d->early_sources = reg(rn);
            return;
        case 20: case 28: /* SBFX, UBFX */
            set(d, BITFIELD, 0);
            d->early_sources = reg(rn);
            return;
        case 22: /* BFI, BFC */
            set(d, BITFIELD, 0);
            d->early_sources = reg(rn);
            d->sources = reg(rd);
            return;
        default: set(d, UNKNOWN, 0);
    }
}

static void decode32_memory(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned rn = h1 & 15, rt = h2 >> 12, size = (h1 >> 5) & 3;
    const bool is_load = h1 & 0x10, is_small = size < 2;
    if (size == 3) {
        return;
    }
    if (rn == PC && is_load) {
        d->flags |= IS_LITERAL;
    } else if (h1 & 0x80) {
        d->base = reg(rn);
        d->offset = h2 & 0xFFF;
    } else if (h2 & 0x800) {
        d->base = reg(rn);
        d->offset = h2 & 255;
        d->updated_base = (h2 & 0x100) ? reg(rn) : 0;
    } else {
        d->base = (uint16_t)(reg(rn) | reg(h2 & 15));
        d->flags |= REGISTER_OFFSET;
    }
    if (!is_load) {
        set(d, is_small ? STORE_SMALL : STORE, 0);
        d->stored = reg(rt);
    } else if (rt != PC) {
        set(d, is_small ? LOAD_SMALL : LOAD, 0);
        d->results = reg(rt);
    } else if (is_small) { /* PLD, PLI */
        set(d, NOP, 0);
    } else {
        set(d, LOAD_PC, IS_BRANCH | IS_INDIRECT);
        d->count = 1;
    }
}

/* Shifts by a register, extensions, parallel additions, CLZ. */
static void decode32_register(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned rn = h1 & 15, rm = h2 & 15, operation = (h2 >> 4) & 15, group = (h1 >> 4) & 7;
    d->results = reg((h2 >> 8) & 15);
    if (!(h1 & 0x80) && operation == 0) {
        set(d, SHIFT, (h1 & 0x10) ? SETS_FLAGS : 0);
        d->sources = (uint16_t)(reg(rn) | reg(rm));
    } else if (!(h1 & 0x80)) {
        const bool is_plain = rn == PC && (group == 0 || group == 1 || group == 4 || group == 5);
        set(d, is_plain ? BITFIELD : DSP_ALU, 0); /* SXTB and its like; SXTB16, and those that add */
        d->early_sources = reg(rm);
        d->sources = reg(rn);
    } else if (operation >= 8 && (group == 1 || group == 3)) { /* REV and its like, CLZ */
        set(d, BITFIELD, 0);
        d->early_sources = reg(rm);
    } else {
        set(d, DSP_ALU, 0);
        d->sources = (uint16_t)(reg(rn) | reg(rm));
    }
}

static void decode32_multiply(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned ra = h2 >> 12;
    const bool is_plain = ((h1 >> 4) & 7) == 0, accumulates = ra != PC;
    d->results = reg((h2 >> 8) & 15);
    d->factors = (uint16_t)(reg(h1 & 15) | reg(h2 & 15));
    d->accumulator = accumulates ? reg(ra) : 0;
    set(d, is_plain ? (accumulates ? MLA : MUL) : (accumulates ? DSP_MLA : DSP_MUL), 0);
}

static void decode32_long_multiply(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned group = (h1 >> 4) & 7, high = (h2 >> 8) & 15, low = h2 >> 12;
    const uint16_t factors = (uint16_t)(reg(h1 & 15) | reg(h2 & 15)), pair = (uint16_t)(reg(high) | reg(low));
    if (group == 1 || group == 3) {
        set(d, DIV, 0);
        d->results = reg(high);
        d->sources = factors;
        return;
    }
    const bool accumulates = group != 0 && group != 2;
    set(d, accumulates ? LONG_MLA : LONG_MUL, 0);
    d->factors = factors;
    d->results = pair;
    d->accumulator = accumulates ? pair : 0;
}

static void decode32(Instruction *d, uint16_t h1, uint16_t h2) {
    if ((h1 & 0xEC00) == 0xEC00) {
        decode_fp(d, h1, h2);
    } else if ((h1 & 0xFE40) == 0xE800) {
        decode32_multiple(d, h1, h2);
    } else if ((h1 & 0xFE40) == 0xE840) {
        decode32_double(d, h1, h2);
    } else if ((h1 & 0xFE00) == 0xEA00) {
        decode32_shifted_register(d, h1, h2);
    } else if ((h1 & 0xF800) == 0xF000) {
        if (h2 & 0x8000) {
            decode32_control(d, h1, h2);
        } else {
            decode32_constant(d, h1, h2);
        }
    } else if ((h1 & 0xFE00) == 0xF800) {
        decode32_memory(d, h1, h2);
    } else if ((h1 & 0xFF00) == 0xFA00) {
        decode32_register(d, h1, h2);
    } else if ((h1 & 0xFF80) == 0xFB00) {
        decode32_multiply(d, h1, h2);
    } else if ((h1 & 0xFF80) == 0xFB80) {
        decode32_long_multiply(d, h1, h2);
    }
}

void decode(Instruction *d, uint32_t address, const uint8_t *code, unsigned nbytes, bool in_it) {
    const uint16_t h1 = (uint16_t)(code[0] | (code[1] << 8));
    memset(d, 0, sizeof *d);
    d->address = address;
    d->nbytes = (uint8_t)nbytes;
    d->class = UNKNOWN;
    d->encoding = h1;
    if (nbytes == 2) {
        decode16(d, h1);
    } else {
        const uint16_t h2 = (uint16_t)(code[2] | (code[3] << 8));
        d->encoding = ((uint32_t)h1 << 16) | h2;
        decode32(d, h1, h2);
    }
    if (in_it) { /* there, 16-bit instructions leave the flags alone, and branches depend on them */
        d->flags &= (uint16_t)(nbytes == 2 ? ~SETS_FLAGS : ~0);
        d->flags |= (d->flags & IS_BRANCH) ? IS_CONDITIONAL : 0;
    }
}
