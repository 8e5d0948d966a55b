/* M7, M33, M55: how long after an instruction its result can be used, which depends on what for. */
#include "cycles.h"

typedef enum {
    NOTHING, FROM_ALU, FROM_SHIFTER /* shifted operand, DSP: a stage later */, FROM_MULTIPLIER, FROM_LOAD,
    FROM_SMALL_LOAD, FROM_WRITE_BACK, FROM_FP_MOVE, FROM_FP, FROM_FMA, FROM_FP_LOAD, FROM_VECTOR,
    FROM_VECTOR_MULTIPLIER, FROM_VECTOR_DOT, PRODUCER_COUNT
} Producer;

typedef enum { SOURCE, EARLY, ADDRESS, ACCUMULATOR, FACTOR, STORED, FP, FP_ACCUMULATOR, FP_STORED, USE_COUNT } Use;

/* [JNK] [SLO] */
static const uint8_t latency_m7[PRODUCER_COUNT][USE_COUNT] = {
    /*                          source early addr. acc. factor stored fp  acc. stored */
    [FROM_ALU] =               {1, 1, 1, 1, 1, 0, 1, 1, 1},
    [FROM_SHIFTER] =           {1, 1, 2, 1, 1, 0, 1, 1, 1},
    [FROM_MULTIPLIER] =        {2, 3, 3, 1, 2, 1, 2, 2, 2},
    [FROM_LOAD] =              {1, 2, 2, 1, 2, 0, 2, 2, 2},
    [FROM_SMALL_LOAD] =        {2, 3, 3, 1, 2, 0, 2, 2, 2},
    [FROM_WRITE_BACK] =        {1, 1, 1, 1, 1, 1, 1, 1, 1},
    [FROM_FP_MOVE] =           {1, 1, 1, 1, 1, 1, 3, 3, 3},
    [FROM_FP] =                {3, 3, 3, 3, 3, 3, 3, 2, 1},
    [FROM_FMA] =               {5, 5, 5, 5, 5, 5, 5, 3, 3},
    [FROM_FP_LOAD] =           {1, 1, 1, 1, 1, 1, 1, 3, 1},
};
/* [JNK] */
static const uint8_t latency_m33[PRODUCER_COUNT][USE_COUNT] = {
    [FROM_ALU] =               {1, 1, 1, 1, 1, 1, 1, 1, 1},
    [FROM_SHIFTER] =           {2, 2, 2, 1, 2, 1, 2, 2, 2},
    [FROM_MULTIPLIER] =        {2, 2, 2, 1, 2, 1, 2, 2, 2},
    [FROM_LOAD] =              {2, 2, 2, 1, 2, 1, 2, 2, 2},
    [FROM_SMALL_LOAD] =        {2, 2, 2, 1, 2, 1, 2, 2, 2},
    [FROM_WRITE_BACK] =        {1, 1, 1, 1, 1, 1, 1, 1, 1},
    [FROM_FP_MOVE] =           {2, 2, 2, 2, 2, 2, 1, 1, 1},
    [FROM_FP] =                {2, 2, 2, 2, 2, 2, 2, 2, 2},
    [FROM_FMA] =               {4, 4, 4, 4, 4, 4, 4, 3, 4},
    [FROM_FP_LOAD] =           {2, 2, 2, 2, 2, 2, 2, 2, 2},
};
/* [SLO]; that of a sum over a vector is a choice. */
static const uint8_t latency_m55[PRODUCER_COUNT][USE_COUNT] = {
    [FROM_ALU] =               {1, 1, 1, 1, 1, 1, 1, 1, 1},
    [FROM_SHIFTER] =           {2, 2, 2, 2, 2, 2, 2, 2, 2},
    [FROM_MULTIPLIER] =        {2, 2, 2, 1, 2, 1, 2, 2, 2},
    [FROM_LOAD] =              {1, 1, 1, 1, 1, 1, 1, 1, 1},
    [FROM_SMALL_LOAD] =        {2, 2, 2, 2, 2, 2, 2, 2, 2},
    [FROM_WRITE_BACK] =        {1, 1, 1, 1, 1, 1, 1, 1, 1},
    [FROM_FP_MOVE] =           {2, 2, 2, 2, 2, 2, 1, 1, 1},
    [FROM_FP] =                {2, 2, 2, 2, 2, 2, 2, 2, 2},
    [FROM_FMA] =               {4, 4, 4, 4, 4, 4, 4, 3, 4},
    [FROM_FP_LOAD] =           {1, 1, 1, 1, 1, 1, 1, 1, 1},
    [FROM_VECTOR] =            {1, 1, 1, 1, 1, 1, 1, 1, 1},
    [FROM_VECTOR_MULTIPLIER] = {2, 2, 2, 2, 2, 2, 2, 2, 1},
    [FROM_VECTOR_DOT] =        {3, 3, 3, 2, 3, 3, 3, 3, 3},
};

static Producer producer(Core core, const Instruction *d) {
    switch (d->class) {
        case ALU_SHIFTED: case DSP_ALU: case LONG_SHIFT: return FROM_SHIFTER;
        case BITFIELD: return core == CORE_M7 ? FROM_SHIFTER : FROM_ALU;
        case MUL: case MLA: case DSP_MUL: case DSP_MLA: case LONG_MUL: case LONG_MLA: return FROM_MULTIPLIER;
        case LOAD: case LOAD_MULTIPLE: case LOAD_PC: return FROM_LOAD;
        case LOAD_DOUBLE: return core == CORE_M55 ? FROM_SMALL_LOAD : FROM_LOAD;
        case LOAD_SMALL: return FROM_SMALL_LOAD;
        case FP_CORE_MOVE: case SYSTEM: return FROM_FP_MOVE;
        case FP_MOVE: case FP_ADD: case FP_MUL: case FP_CONVERT: case FP_COMPARE: case FP_DIV: case FP_SQRT:
            return FROM_FP;
        case FP_MLA: case FP_FMA: return FROM_FMA;
        case FP_LOAD: case FP_LOAD_MULTIPLE: return FROM_FP_LOAD;
        case MVE_LOAD: case MVE_GATHER: case MVE_ALU: case MVE_COMPARE: case MVE_PREDICATE: case MVE_CORE_MOVE:
            return FROM_VECTOR;
        case MVE_LOAD_INTERLEAVED: case MVE_MUL: case MVE_MLA: case MVE_FP: case MVE_FMA: case MVE_REDUCE:
            return FROM_VECTOR_MULTIPLIER;
        case MVE_DOT: return FROM_VECTOR_DOT;
        default: return FROM_ALU;
    }
}

static long latency(Core core, Producer from, Use use) {
    if (from >= FROM_VECTOR && core != CORE_M55) {
        return 1;
    }
    return (core == CORE_M7 ? latency_m7 : core == CORE_M33 ? latency_m33 : latency_m55)[from][use];
}

static long latest(Core core, uint32_t registers, Use use, const long *times, const uint8_t *producers, long so_far) {
    for (; registers != 0; registers &= registers - 1) {
        const unsigned i = (unsigned)__builtin_ctz(registers);
        const long ready = times[i] + latency(core, producers[i], use);
        if (producers[i] != NOTHING && ready > so_far) {
            so_far = ready;
        }
    }
    return so_far;
}

long operands_ready(const Pipeline *p, const Instruction *d) {
    const uint16_t core_registers[] = {d->sources, d->early_sources, d->base, d->accumulator, d->factors, d->stored};
    const uint32_t fp_registers[] = {d->fp_sources, d->fp_accumulator, d->fp_stored};
    long ready = 0;
    for (Use use = SOURCE; use < FP; use++) {
        ready = latest(p->core, core_registers[use], use, p->core_time, p->core_producer, ready);
    }
    for (Use use = FP; use < USE_COUNT; use++) {
        ready = latest(p->core, fp_registers[use - FP], use, p->fp_time, p->fp_producer, ready);
    }
    return ready;
}

static void mark(uint32_t registers, long time, Producer from, long *times, uint8_t *producers) {
    for (; registers != 0; registers &= registers - 1) {
        const unsigned i = (unsigned)__builtin_ctz(registers);
        times[i] = time;
        producers[i] = (uint8_t)from;
    }
}

void set_results(Pipeline *p, const Instruction *d, long time) {
    const Producer from = producer(p->core, d);
    mark(d->results, time, from, p->core_time, p->core_producer);
    mark(d->updated_base, time, FROM_WRITE_BACK, p->core_time, p->core_producer);
    mark(d->fp_results, time, from, p->fp_time, p->fp_producer);
}
