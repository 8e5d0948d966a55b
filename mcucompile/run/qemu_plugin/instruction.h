/* An instruction as the cycle models see it: its class, and which registers it reads and writes, and how. */
#ifndef INSTRUCTION_H
#define INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Class and its name in tests. S_ at the end: byte or halfword; D_: double; M_: multiple. */
#define INSTRUCTION_CLASSES(X)                                                                                        \
    X(ALU, "alu")                                                                                                     \
    X(ALU_SHIFTED, "alu-shifted-operand")                                                                             \
    X(SHIFT, "shift")                                                                                                 \
    X(BITFIELD, "bitfield")                                                                                           \
    X(DSP_ALU, "dsp-alu")                                                                                             \
    X(MUL, "mul")                                                                                                     \
    X(MLA, "mla")                                                                                                     \
    X(DSP_MUL, "dsp-mul")                                                                                             \
    X(DSP_MLA, "dsp-mla")                                                                                             \
    X(LONG_MUL, "long-mul")                                                                                           \
    X(LONG_MLA, "long-mla")                                                                                           \
    X(DIV, "div")                                                                                                     \
    X(LOAD, "load")                                                                                                   \
    X(LOAD_SMALL, "load-small")                                                                                       \
    X(LOAD_DOUBLE, "load-double")                                                                                     \
    X(LOAD_MULTIPLE, "load-multiple")                                                                                 \
    X(STORE, "store")                                                                                                 \
    X(STORE_SMALL, "store-small")                                                                                     \
    X(STORE_DOUBLE, "store-double")                                                                                   \
    X(STORE_MULTIPLE, "store-multiple")                                                                               \
    X(BRANCH_IF, "branch-if")                                                                                         \
    X(BRANCH, "branch")                                                                                               \
    X(BRANCH_ZERO, "branch-zero")                                                                                     \
    X(CALL, "call")                                                                                                   \
    X(CALL_REGISTER, "call-register")                                                                                 \
    X(BRANCH_REGISTER, "branch-register")                                                                             \
    X(LOAD_PC, "load-pc")                                                                                             \
    X(BRANCH_TABLE, "branch-table")                                                                                   \
    X(IT, "it")                                                                                                       \
    X(NOP, "nop")                                                                                                     \
    X(SYSTEM, "system")                                                                                               \
    X(SELECT, "select")                                                                                               \
    X(LONG_SHIFT, "long-shift")                                                                                       \
    X(FP_LOAD, "fp-load")                                                                                             \
    X(FP_LOAD_MULTIPLE, "fp-load-multiple")                                                                           \
    X(FP_STORE, "fp-store")                                                                                           \
    X(FP_STORE_MULTIPLE, "fp-store-multiple")                                                                         \
    X(FP_MOVE, "fp-move")                                                                                             \
    X(FP_CORE_MOVE, "fp-core-move")                                                                                   \
    X(FP_ADD, "fp-add")                                                                                               \
    X(FP_MUL, "fp-mul")                                                                                               \
    X(FP_MLA, "fp-mla")                                                                                               \
    X(FP_FMA, "fp-fma")                                                                                               \
    X(FP_DIV, "fp-div")                                                                                               \
    X(FP_SQRT, "fp-sqrt")                                                                                             \
    X(FP_CONVERT, "fp-convert")                                                                                       \
    X(FP_COMPARE, "fp-compare")                                                                                       \
    X(MVE_LOAD, "mve-load")                                                                                           \
    X(MVE_GATHER, "mve-gather")                                                                                       \
    X(MVE_LOAD_INTERLEAVED, "mve-load-interleaved")                                                                   \
    X(MVE_STORE, "mve-store")                                                                                         \
    X(MVE_SCATTER, "mve-scatter")                                                                                     \
    X(MVE_STORE_INTERLEAVED, "mve-store-interleaved")                                                                 \
    X(MVE_ALU, "mve-alu")                                                                                             \
    X(MVE_MUL, "mve-mul")                                                                                             \
    X(MVE_MLA, "mve-mla")                                                                                             \
    X(MVE_DOT, "mve-dot")                                                                                             \
    X(MVE_REDUCE, "mve-reduce")                                                                                       \
    X(MVE_FP, "mve-fp")                                                                                               \
    X(MVE_FMA, "mve-fma")                                                                                             \
    X(MVE_COMPARE, "mve-compare")                                                                                     \
    X(MVE_PREDICATE, "mve-predicate")                                                                                 \
    X(MVE_CORE_MOVE, "mve-core-move")                                                                                 \
    X(LOOP_START, "loop-start")                                                                                       \
    X(LOOP_END, "loop-end")                                                                                           \
    X(UNKNOWN, "unknown")

typedef enum {
#define X(name, text) name,
    INSTRUCTION_CLASSES(X)
#undef X
        CLASS_COUNT
} Class;

enum {
    REGISTER_OFFSET = 1, /* address of base and index register */
    IS_DOUBLE = 2,       /* double precision */
    IS_CONDITIONAL = 4,  /* a branch that may not be taken */
    SETS_FLAGS = 8,
    IS_LITERAL = 16, /* loads relative to the program counter */
    IS_BRANCH = 32,  /* what follows may be elsewhere */
    IS_INDIRECT = 64,
    ROTATES = 128, /* a rotated constant; with SYSTEM: VMRS or VMSR */
    IS_CALL = 256,
};

/* Registers are bit masks: bit n is Rn (PC never counts), or Sn; Dn has two bits, Qn four. */
typedef struct {
    uint32_t address, encoding;
    uint8_t nbytes, class;
    uint8_t count;    /* registers that are loaded, stored or moved */
    uint8_t elements; /* of a vector in memory */
    uint16_t flags;
    int16_t offset; /* of an address from its base */
    uint16_t sources, base, accumulator, factors, stored, results, updated_base;
    uint16_t early_sources; /* are needed a stage sooner: shifted operands */
    uint32_t fp_sources, fp_accumulator, fp_stored, fp_results;
} Instruction;

/* `code` is in memory order, 2 or 4 bytes; in_it: the instruction is inside an IT block. */
void decode(Instruction *d, uint32_t address, const uint8_t *code, unsigned nbytes, bool in_it);

/* Coprocessor encodings: floating point and vectors (decode_fp.c). */
void decode_fp(Instruction *d, uint16_t h1, uint16_t h2);

const char *class_name(unsigned class);

static inline uint16_t reg(unsigned n) { return (uint16_t)((1u << n) & 0x7FFFu); }
static inline uint32_t quad(unsigned n) { return 0xFu << (4 * (n & 7)); }

#endif
