/* A kernel call: what the rig needs to lay out its operands. */
#ifndef RIG_H
#define RIG_H

#include <stddef.h>
#include <stdint.h>

enum { INPUT, OUTPUT, CONSTANT, SCRATCH, MAX_ARGUMENTS = 16 };

typedef struct {
    uint32_t kind;
    uint32_t blob; /* where the values of an input or constant are in the blob */
    uint32_t nbytes;
    uint32_t planned; /* offset in the planner's arena */
} Operand;

typedef struct {
    void (*call)(uint8_t *const *arguments);
    uint32_t count;
    uint32_t arena_nbytes;
    Operand operands[MAX_ARGUMENTS];
} Row;

extern const Row rows[];
extern const uint32_t row_count;

#endif
