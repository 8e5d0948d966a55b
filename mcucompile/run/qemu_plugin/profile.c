/* A plugin of QEMU: instructions and estimated cycles of each step of a network's run.
 *
 * QEMU runs code in blocks, straight pieces that end with a branch. Every execution of a block increments a counter of
 * the edge from the block before. Instructions are sums over edges, exactly; the cycles of an edge are those that its
 * block adds behind the one before it, so that loads that overlap, latencies and pairs of instructions carry over a
 * branch, and whether a branch was taken is what the edge says. Nothing depends on the host's time.
 *
 * A step lasts from the call of its function in the network's run function until that returns; what runs between steps
 * is the overhead. Arguments: core, a name of cycles.h; run, the address of the run function; steps, a file with the
 * addresses of the functions of all steps in their order; report, the file to write. Each run adds a line of numbers:
 * exceptions, instructions not decoded, then instructions and cycles of the overhead and of each step. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cycles.h"
#include "qemu_plugin_api.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_API;

typedef struct Block Block;
typedef struct Edge Edge;

struct Edge {
    Block *from, *to;
    uint64_t count;
    Edge *next_into;    /* of the edges into the same block */
    Edge *next_touched; /* of the edges with a count */
};

struct Block {
    uint32_t start, end;
    unsigned count;
    Instruction *instructions;
    Edge *edges, *latest;
};

typedef struct {
    uint64_t instructions;
    int64_t cycles;
} Cost;

typedef struct {
    uint32_t address;
    uint64_t taken, not_taken;
} Branch;

enum { OVERHEAD = 0 }; /* costs[k + 1] belongs to step k */

static Core core = CORE_COUNT;
static uint32_t run_address, *steps;
static unsigned step_count, next_step, current; /* `current` is the index into `costs` */
static Cost *costs;
static uint64_t exceptions, unknown;
static uint32_t run_return, step_return;
static bool is_running;
static Block nowhere, *previous = &nowhere, *caller = &nowhere; /* `caller` ends with the latest call before a run */
static Edge *touched;
static FILE *report;

static void *allocate(size_t count, size_t nbytes) {
    void *memory = calloc(count > 0 ? count : 1, nbytes);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static const Instruction *last_of(const Block *block) {
    return block->count > 0 ? &block->instructions[block->count - 1] : NULL;
}

static bool is_call(const Block *block) { return block->count > 0 && (last_of(block)->flags & IS_CALL) != 0; }

static bool is_taken(const Block *from, const Block *to) {
    const Instruction *last = last_of(from);
    if (last == NULL) {
        return false;
    }
    const bool always = (last->flags & IS_BRANCH) && !(last->flags & IS_CONDITIONAL);
    return always || to->start != from->end;
}

/* --- what edges cost --- */

/* The time at which `to` ends, behind `from` and, where they are the same block, behind that once more: a loop's steady
 * state. With to == NULL, the time at which `from` ends, its branch not taken: so the edge into it was charged. */
static long time_at_end(const Block *from, const Block *to, unsigned repetitions, bool taken) {
    const unsigned count = from->count * repetitions + (to != NULL ? to->count : 0);
    const Instruction **sequence = allocate(count, sizeof *sequence);
    bool *branches = allocate(count, sizeof *branches);
    unsigned n = 0;
    for (unsigned r = 0; r < repetitions; r++) {
        for (unsigned i = 0; i < from->count; i++) {
            sequence[n++] = &from->instructions[i];
        }
        if (n > 0) {
            branches[n - 1] = taken && (to != NULL || r + 1 < repetitions);
        }
    }
    for (unsigned i = 0; to != NULL && i < to->count; i++) {
        sequence[n++] = &to->instructions[i];
    }
    const long time = cycles_of(core, sequence, branches, n);
    free(sequence);
    free(branches);
    return time;
}

static long edge_cycles(const Block *from, const Block *to) {
    const unsigned repetitions = from == to ? 2 : 1;
    const bool taken = is_taken(from, to);
    long cycles = time_at_end(from, to, repetitions, taken);
    if (from->count == 0) {
        return cycles;
    }
    cycles -= time_at_end(from, NULL, repetitions, taken);
    const Instruction *last = last_of(from);
    if (!taken && last->class == LOAD_PC && (last->flags & IS_CONDITIONAL)) { /* POP {pc} of an IT block, skipped */
        cycles -= core <= CORE_M4 ? last->count : issue_cycles(core, last) - 1;
    }
    if (!taken && last->class == LOOP_END && core == CORE_M55) {
        cycles += M55_LOOP_EXIT;
    }
    return cycles;
}

static int by_address(const void *a, const void *b) {
    const uint32_t left = ((const Branch *)a)->address, right = ((const Branch *)b)->address;
    return left < right ? -1 : left > right;
}

/* M7 predicts each branch as it mostly goes: what it does less often is mispredicted. */
static int64_t mispredictions(void) {
    unsigned count = 0, n = 0;
    for (const Edge *e = touched; e != NULL; e = e->next_touched) {
        count++;
    }
    Branch *branches = allocate(count, sizeof *branches);
    for (const Edge *e = touched; e != NULL; e = e->next_touched) {
        const Instruction *last = last_of(e->from);
        if (last != NULL && (last->flags & IS_BRANCH) && (last->flags & IS_CONDITIONAL) && last->class != LOOP_END) {
            const bool taken = is_taken(e->from, e->to);
            branches[n++] = (Branch){last->address, taken ? e->count : 0, taken ? 0 : e->count};
        }
    }
    qsort(branches, n, sizeof *branches, by_address);
    int64_t result = 0;
    for (unsigned i = 0, j; i < n; i = j) {
        uint64_t taken = 0, not_taken = 0;
        for (j = i; j < n && branches[j].address == branches[i].address; j++) {
            taken += branches[j].taken;
            not_taken += branches[j].not_taken;
        }
        result += (int64_t)(taken < not_taken ? taken : not_taken);
    }
    free(branches);
    return result;
}

static void note_surprises(const Edge *e) {
    const Instruction *last = last_of(e->from);
    if (last != NULL && !(last->flags & IS_BRANCH) && is_taken(e->from, e->to)) {
        exceptions += e->count;
    }
    for (unsigned i = 0; i < e->to->count; i++) {
        unknown += e->to->instructions[i].class == UNKNOWN ? e->count : 0;
    }
}

/* Charges what ran since the last time to the current step. */
static void settle(void) {
    Cost *cost = &costs[current];
    cost->cycles += core == CORE_M7 ? M7_MISPREDICTED * mispredictions() : 0;
    while (touched != NULL) {
        Edge *e = touched;
        touched = e->next_touched;
        note_surprises(e);
        cost->instructions += e->count * e->to->count;
        cost->cycles += (int64_t)e->count * edge_cycles(e->from, e->to);
        e->count = 0;
    }
}

/* --- following a run --- */

static void begin_run(void) {
    is_running = true;
    run_return = caller->end;
    previous = &nowhere;
    current = OVERHEAD;
    next_step = 0;
    exceptions = unknown = 0;
    memset(costs, 0, (step_count + 1) * sizeof *costs);
}

static void end_run(void) {
    settle();
    is_running = false;
    fprintf(report, "%" PRIu64 " %" PRIu64, exceptions, unknown);
    for (unsigned i = 0; i <= step_count; i++) {
        fprintf(report, " %" PRIu64 " %" PRId64, costs[i].instructions, costs[i].cycles);
    }
    fputc('\n', report);
    fflush(report);
}

static void enter_step(const Block *block) {
    for (unsigned k = next_step; k < step_count; k++) {
        if (steps[k] == block->start) {
            settle();
            step_return = previous->end;
            current = k + 1;
            next_step = k + 1;
            return;
        }
    }
}

static void count_edge(Block *block) {
    Edge *e = block->latest;
    if (e == NULL || e->from != previous) {
        for (e = block->edges; e != NULL && e->from != previous; e = e->next_into) {
        }
        if (e == NULL) {
            e = allocate(1, sizeof *e);
            e->from = previous;
            e->to = block;
            e->next_into = block->edges;
            block->edges = e;
        }
        block->latest = e;
    }
    if (e->count++ == 0) {
        e->next_touched = touched;
        touched = e;
    }
}

static void on_block(unsigned vcpu, void *data) {
    Block *block = data;
    if (vcpu != 0) {
        return;
    }
    if (!is_running) {
        /* Where the function is branched to instead of called, it returns to the call before. */
        if (block->start != run_address) {
            caller = is_call(block) ? block : caller;
            return;
        }
        begin_run();
    } else if (current != OVERHEAD && block->start == step_return) {
        settle();
        current = OVERHEAD;
    } else if (current == OVERHEAD && block->start == run_return) {
        end_run();
        return;
    } else if (current == OVERHEAD && is_call(previous)) {
        enter_step(block);
    }
    count_edge(block);
    previous = block;
}

static Instruction *decode_one(const struct qemu_plugin_insn *insn, Instruction *d, bool in_it) {
    uint8_t code[4] = {0, 0, 0, 0};
#if QEMU_API >= 3
    (void)qemu_plugin_insn_data(insn, code, sizeof code);
#else
    memcpy(code, qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn) < 4 ? 2 : 4);
#endif
    /* QEMU 7.2 says 4 bytes of a 16-bit instruction at the end of a page of 1 KB: the encoding knows better. */
    decode(d, (uint32_t)qemu_plugin_insn_vaddr(insn), code, (code[1] >> 3) >= 0x1D ? 4 : 2, in_it);
    return d;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *code) {
    (void)id;
    Block *block = allocate(1, sizeof *block);
    unsigned in_it = 0;
    block->start = (uint32_t)qemu_plugin_tb_vaddr(code);
    block->count = (unsigned)qemu_plugin_tb_n_insns(code);
    block->instructions = allocate(block->count, sizeof *block->instructions);
    for (unsigned i = 0; i < block->count; i++) {
        const Instruction *d = decode_one(qemu_plugin_tb_get_insn(code, i), &block->instructions[i], in_it > 0);
        in_it -= in_it > 0;
        if (d->class == IT) {
            in_it = 4u - (unsigned)__builtin_ctz(d->encoding & 15);
        }
        block->end = d->address + d->nbytes;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(code, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

/* --- arguments --- */

static bool read_steps(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    unsigned long address;
    while (fscanf(file, "%lx", &address) == 1) {
        steps = realloc(steps, (step_count + 1) * sizeof *steps);
        if (steps == NULL) {
            abort();
        }
        steps[step_count++] = (uint32_t)address & ~1u;
    }
    fclose(file);
    return true;
}

static bool take_argument(const char *name, const char *value) {
    if (strcmp(name, "core") == 0) {
        core = core_named(value);
        return core != CORE_COUNT;
    }
    if (strcmp(name, "run") == 0) {
        run_address = (uint32_t)strtoul(value, NULL, 0) & ~1u;
        return true;
    }
    if (strcmp(name, "steps") == 0) {
        return read_steps(value);
    }
    report = strcmp(name, "report") == 0 ? fopen(value, "w") : NULL;
    return report != NULL;
}

/* Without arguments it does nothing, which shows whether it can be loaded. */
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL) {
            return -1;
        }
        *value = '\0';
        if (!take_argument(argv[i], value + 1)) {
            fprintf(stderr, "the argument %s cannot be taken\n", argv[i]);
            return -1;
        }
    }
    if (argc == 0) {
        return 0;
    }
    if (core == CORE_COUNT || report == NULL) {
        return -1;
    }
    costs = allocate(step_count + 1, sizeof *costs);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
