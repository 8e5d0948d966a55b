/* Decoder of the coprocessor space: VFP, and MVE, whose arithmetic is in a generated table (scripts/mve_table.py). */
#include "instruction.h"

/* Where an MVE instruction has its operands. */
enum {
    QD = 1,            /* vector result, bits 13 to 15 */
    QD_READ = 2,       /* the same register is also an operand */
    QD_FIRST = 4,      /* vector result, in the first halfword */
    QN = 8,            /* vector operands */
    QM = 16,
    RM = 32,           /* core register operand, bits 0 to 3 */
    RM_WRITTEN = 64,   /* which is also a result */
    RT = 128,          /* core register operand, bits 12 to 15 */
    RN_EVEN = 256,     /* an even register, operand and result */
    RM_ODD = 512,      /* an odd register */
    RDA = 1024,        /* an even result register; _ADDED: which is accumulated into */
    RDA_ADDED = 2048,
    RDA_HIGH = 4096,   /* the odd register with the high half of a sum */
    RDA_HIGH_ADDED = 8192,
    RDA_ANY = 16384,   /* a result register, even or odd */
    RDA_ANY_ADDED = 32768,
    TWO_CORE = 65536,  /* two core registers, moved to or from lanes */
};

static const struct {
    uint32_t mask, match;
    uint8_t class;
    uint32_t operands;
} mve_instructions[] = {
#include "mve_table.h"
};

static void set_mve_core_operands(Instruction *d, uint32_t operands, uint16_t h1, uint16_t h2) {
    const uint16_t rm = reg(h2 & 15), rda = reg((h2 >> 12) & 14), any = reg(h2 >> 12);
    const uint16_t high = reg((((h1 >> 4) & 7u) << 1) | 1), even = reg(h1 & 14);
    d->sources |= operands & (RM | RM_WRITTEN) ? rm : 0;
    d->results |= operands & RM_WRITTEN ? rm : 0;
    d->sources |= operands & RT ? any : 0;
    d->sources |= operands & RN_EVEN ? even : 0;
    d->results |= operands & RN_EVEN ? even : 0;
    d->sources |= operands & RM_ODD ? reg((h2 & 14) | 1) : 0;
    d->results |= operands & (RDA | RDA_ADDED) ? rda : 0;
    d->accumulator |= operands & RDA_ADDED ? rda : 0;
    d->results |= operands & (RDA_HIGH | RDA_HIGH_ADDED) ? high : 0;
    d->accumulator |= operands & RDA_HIGH_ADDED ? high : 0;
    d->results |= operands & (RDA_ANY | RDA_ANY_ADDED) ? any : 0;
    d->accumulator |= operands & RDA_ANY_ADDED ? any : 0;
}

static void set_mve_operands(Instruction *d, uint32_t operands, uint16_t h1, uint16_t h2) {
    const uint32_t qd = quad((h2 >> 13) & 7), qn = quad((h1 >> 1) & 7), qm = quad((h2 >> 1) & 7);
    const bool accumulates = d->class == MVE_MLA || d->class == MVE_FMA;
    d->fp_results |= operands & QD ? qd : 0;
    d->fp_accumulator |= operands & QD_READ && accumulates ? qd : 0;
    d->fp_sources |= operands & QD_READ && !accumulates ? qd : 0;
    d->fp_results |= operands & QD_FIRST ? qn : 0;
    d->fp_sources |= operands & QN ? qn : 0;
    d->fp_sources |= operands & QM ? qm : 0;
    set_mve_core_operands(d, operands, h1, h2);
    if (operands & TWO_CORE) {
        const uint16_t pair = (uint16_t)(reg(h2 & 15) | reg(h1 & 15));
        if (h1 & 0x10) {
            d->sources |= pair;
        } else {
            d->results |= pair;
            d->fp_sources |= qd;
            d->fp_results = 0;
        }
    }
}

static void move_vector(Instruction *d, Class load, Class store, uint16_t h1, uint32_t vectors) {
    const bool is_load = h1 & 0x10;
    d->class = (uint8_t)(is_load ? load : store);
    if (is_load) {
        d->fp_results |= vectors;
    } else {
        d->fp_stored = vectors;
    }
}

/* VLDR and VSTR of consecutive elements, and those whose addresses are a base and a vector of offsets. */
static bool decode_mve_memory(Instruction *d, uint16_t h1, uint16_t h2) {
    const bool pre = h1 & 0x100, write_back = h1 & 0x20, is_wide = !(h2 & 0x1000);
    const unsigned size = (h2 >> 7) & 3, rn = is_wide ? h1 & 7 : h1 & 15;
    const uint32_t qd = quad((h2 >> 13) & 7);
    if (is_wide && size == 3 && (pre || write_back) && !(h1 & 0x1000)) { /* VLDR of a system register */
        d->class = SYSTEM;
        return true;
    }
    if (is_wide && !pre && !write_back) {
        if (!(h1 & 0x80)) {
            return false;
        }
        move_vector(d, MVE_GATHER, MVE_SCATTER, h1, qd);
        d->base = reg(h1 & 15);
        d->fp_sources = quad((h2 >> 1) & 7);
    } else {
        move_vector(d, MVE_LOAD, MVE_STORE, h1, qd);
        d->base = reg(rn);
        d->updated_base = write_back ? d->base : 0;
    }
    d->elements = (uint8_t)(16 >> size);
    return true;
}

/* VLDRW and VLDRD from addresses in a vector. */
static void decode_mve_indirect(Instruction *d, uint16_t h1, uint16_t h2) {
    const uint32_t qm = quad((h1 >> 1) & 7);
    d->elements = (h2 & 0x100) ? 2 : 4;
    d->fp_sources = qm;
    d->fp_results = (h1 & 0x20) ? qm : 0; /* addresses are written back */
    move_vector(d, MVE_GATHER, MVE_SCATTER, h1, quad((h2 >> 13) & 7));
}

/* VLD2, VLD4, VST2, VST4. */
static void decode_mve_interleaved(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned first = (h2 >> 13) & 7, count = (h2 & 1) ? 4 : 2;
    uint32_t vectors = 0;
    for (unsigned i = 0; i < count; i++) {
        vectors |= quad(first + i);
    }
    d->base = reg(h1 & 15);
    d->updated_base = (h1 & 0x20) ? d->base : 0;
    move_vector(d, MVE_LOAD_INTERLEAVED, MVE_STORE_INTERLEAVED, h1, vectors);
}

static bool decode_mve(Instruction *d, uint16_t h1, uint16_t h2) {
    const uint32_t encoding = ((uint32_t)h1 << 16) | h2;
    const bool is_memory = (h1 & 0xEE00) == 0xEC00 && ((h2 >> 9) & 7) == 7 && !((h2 & 0x1000) && (h1 & 0x1000));
    if (is_memory && decode_mve_memory(d, h1, h2)) {
        return true;
    }
    if ((h1 & 0xFF00) == 0xFD00 && ((h2 >> 9) & 15) == 15) {
        decode_mve_indirect(d, h1, h2);
        return true;
    }
    if ((h1 & 0xFF80) == 0xFC80 && ((h2 >> 9) & 15) == 15) {
        decode_mve_interleaved(d, h1, h2);
        return true;
    }
    for (unsigned i = 0; i < sizeof mve_instructions / sizeof mve_instructions[0]; i++) {
        if ((encoding & mve_instructions[i].mask) == mve_instructions[i].match) {
            d->class = mve_instructions[i].class;
            set_mve_operands(d, mve_instructions[i].operands, h1, h2);
            return true;
        }
    }
    return false;
}

/* The registers of a VFP instruction as masks; a D register above D15 does not exist. */
typedef struct {
    uint32_t d, n, m;
} Operands;

static unsigned single_d(uint16_t h1, uint16_t h2) { return ((h2 >> 11) & 30u) | ((h1 >> 6) & 1u); }
static unsigned single_m(uint16_t h2) { return ((h2 & 15u) << 1) | ((h2 >> 5) & 1u); }
static uint32_t double_mask(unsigned n) { return n < 16 ? 3u << (2 * n) : 0; }

static Operands fp_operands(uint16_t h1, uint16_t h2, bool is_double) {
    if (is_double) {
        const unsigned d = ((h1 >> 2) & 16u) | (h2 >> 12), n = ((h2 >> 3) & 16u) | (h1 & 15u);
        return (Operands){double_mask(d), double_mask(n), double_mask(((h2 >> 1) & 16u) | (h2 & 15u))};
    }
    return (Operands){1u << single_d(h1, h2), 1u << (((h1 & 15u) << 1) | ((h2 >> 7) & 1u)), 1u << single_m(h2)};
}

/* VMOV of two core registers. */
static void decode_fp_pair(Instruction *d, uint16_t h1, uint16_t h2, bool is_double, uint32_t m) {
    const uint16_t pair = (uint16_t)(reg(h2 >> 12) | reg(h1 & 15));
    d->class = FP_CORE_MOVE;
    d->count = 2;
    const uint32_t registers = is_double ? m : m | (m << 1);
    if (h1 & 0x10) {
        d->results = pair;
        d->fp_sources = registers;
    } else {
        d->sources = pair;
        d->fp_results = registers;
    }
}

static void decode_fp_multiple(Instruction *d, uint16_t h1, uint16_t h2, bool is_double) {
    const unsigned first = is_double ? 2 * (((h1 >> 2) & 16u) | (h2 >> 12)) : single_d(h1, h2);
    const bool is_load = h1 & 0x10;
    d->count = (uint8_t)(is_double ? h2 & 254 : h2 & 255);
    uint32_t registers = 0;
    for (unsigned i = first; i < first + d->count && i < 32; i++) {
        registers |= 1u << i;
    }
    d->class = is_load ? FP_LOAD_MULTIPLE : FP_STORE_MULTIPLE;
    *(is_load ? &d->fp_results : &d->fp_stored) = registers;
    d->updated_base = (h1 & 0x20) ? d->base : 0;
}

static void decode_fp_memory(Instruction *d, uint16_t h1, uint16_t h2, bool is_double, Operands o) {
    const bool pre = h1 & 0x100, up = h1 & 0x80, write_back = h1 & 0x20, is_load = h1 & 0x10;
    if (!pre && !up && !write_back) {
        decode_fp_pair(d, h1, h2, is_double, o.m);
        return;
    }
    d->base = reg(h1 & 15);
    d->count = (uint8_t)(h2 & 255);
    if (pre && !write_back) {
        d->class = is_load ? FP_LOAD : FP_STORE;
        d->count = is_double ? 2 : 1;
        d->offset = (int16_t)((h2 & 255) * 4);
        *(is_load ? &d->fp_results : &d->fp_stored) = o.d;
    } else if ((h1 & 15) == 15 && is_load) { /* VSCCLRM */
        d->class = SYSTEM;
    } else {
        decode_fp_multiple(d, h1, h2, is_double);
    }
}

/* One register between the core and the FPU, which may be a lane of a vector, or the status register. */
static void decode_fp_core(Instruction *d, uint16_t h1, uint16_t h2, bool is_lane, uint32_t n) {
    const bool to_core = h1 & 0x10;
    const unsigned rt = h2 >> 12;
    d->count = 1;
    d->class = FP_CORE_MOVE;
    if (!is_lane && ((h1 >> 5) & 7) == 7) {
        d->class = SYSTEM;
        d->flags |= (uint16_t)(ROTATES | (to_core && rt == 15 ? SETS_FLAGS : 0));
        *(to_core ? &d->results : &d->sources) = reg(rt);
        return;
    }
    const uint32_t registers = is_lane ? 3u << (2 * (h1 & 15)) : n;
    d->flags &= (uint16_t)(is_lane ? ~IS_DOUBLE : ~0);
    if (to_core) {
        d->results = reg(rt);
        d->fp_sources = registers;
    } else {
        d->sources = reg(rt);
        d->fp_results = registers;
        d->fp_sources = is_lane ? registers : 0; /* the other lanes stay */
    }
}

/* Moves, conversions, comparisons, VSQRT. */
static void decode_fp_other(Instruction *d, uint16_t h1, uint16_t h2, bool is_double, Operands o) {
    const unsigned operation = h1 & 15, variant = (h2 >> 6) & 3;
    const uint32_t narrow_d = 1u << single_d(h1, h2);
    d->fp_sources = o.m;
    d->class = FP_MOVE;
    if (!(variant & 1)) { /* a constant */
        d->fp_sources = 0;
        return;
    }
    if (operation < 2) {
        d->class = operation == 1 && variant == 3 ? FP_SQRT : FP_MOVE;
        return;
    }
    if (operation == 4 || operation == 5) { /* with another register, with 0 */
        d->class = FP_COMPARE;
        d->fp_sources = o.d | (operation == 4 ? o.m : 0);
        d->fp_results = 0;
        return;
    }
    d->class = FP_CONVERT;
    if (operation == 7 && variant == 3) { /* between the precisions */
        d->fp_results = is_double ? narrow_d : double_mask(((h1 >> 2) & 16u) | (h2 >> 12));
    } else if ((operation == 12 || operation == 13) && is_double) { /* to integers */
        d->fp_results = narrow_d;
    } else if (operation == 8 && is_double) { /* from integers */
        d->fp_sources = 1u << single_m(h2);
    }
}

static void decode_fp_arithmetic(Instruction *d, uint16_t h1, uint16_t h2, bool is_double, Operands o) {
    static const uint8_t classes[8] = {FP_MLA, FP_MLA, FP_MUL, FP_ADD, FP_DIV, FP_FMA, FP_FMA, FP_MOVE};
    const unsigned operation = ((h1 >> 5) & 4) | ((h1 >> 4) & 3);
    d->fp_results = o.d;
    d->fp_sources = o.n | o.m;
    d->class = classes[operation];
    d->fp_accumulator = d->class == FP_MLA || d->class == FP_FMA ? o.d : 0;
    if (operation == 7) {
        decode_fp_other(d, h1, h2, is_double, o);
    }
}

/* What Armv8-M added: VSEL, VMAXNM, VMINNM, roundings, VCVTA and its like. */
static void decode_fp_v8(Instruction *d, uint16_t h1, uint16_t h2, bool is_double, Operands o) {
    d->fp_results = o.d;
    d->fp_sources = o.n | o.m;
    d->class = FP_MOVE;
    if (!(h1 & 0x80) || ((h1 >> 4) & 0xB) == 8) {
        return;
    }
    d->fp_sources = o.m;
    if ((h1 & 0xBF) != 0xB0) {
        d->class = FP_CONVERT;
        d->fp_results = (h1 & 0xC) == 0xC && is_double ? 1u << single_d(h1, h2) : o.d;
    }
}

void decode_fp(Instruction *d, uint16_t h1, uint16_t h2) {
    const unsigned coprocessor = (h2 >> 8) & 15, top = h1 >> 8;
    const bool is_double = coprocessor == 11;
    if (decode_mve(d, h1, h2)) {
        return;
    }
    if (coprocessor < 9 || coprocessor > 11) {
        return;
    }
    const Operands o = fp_operands(h1, h2, is_double);
    d->flags |= is_double ? IS_DOUBLE : 0;
    if ((h1 & 0xFE00) == 0xEC00) {
        decode_fp_memory(d, h1, h2, is_double, o);
    } else if (top == 0xEE && (h2 & 0x10)) {
        decode_fp_core(d, h1, h2, is_double, o.n);
    } else if (top == 0xEE) {
        decode_fp_arithmetic(d, h1, h2, is_double, o);
    } else if (top == 0xFE) {
        decode_fp_v8(d, h1, h2, is_double, o);
    }
}
