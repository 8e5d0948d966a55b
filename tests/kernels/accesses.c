/* A plugin of QEMU: reports what code reads and writes outside the memory that was declared for it.
 *
 * The watched program declares an operand by reading its first and its last byte in watch_readable or watch_writable;
 * from watch_begin to watch_end everything is watched. Beside operands, code may use the stack and read what `fixed`
 * says, which is code and its literals. Per watched part the first stray access is reported. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin_api.h"

#define MAX_RANGES 24

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_API;

typedef struct {
    uint64_t first, last;
    bool is_writable;
} Range;

static Range ranges[MAX_RANGES]; /* first those of the arguments, then the operands of the watched part */
static unsigned fixed_count, range_count, part;
static bool is_half_declared, is_watched, is_reported;
static uint64_t at_readable, at_writable, at_begin, at_end;
static FILE *report;

static bool is_allowed(uint64_t first, uint64_t last, bool is_store) {
    for (unsigned i = 0; i < range_count; i++) {
        if (first >= ranges[i].first && last <= ranges[i].last && (!is_store || ranges[i].is_writable)) {
            return true;
        }
    }
    return false;
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *pc) {
    (void)vcpu;
    const unsigned nbytes = 1u << qemu_plugin_mem_size_shift(info);
    const bool is_store = qemu_plugin_mem_is_store(info);
    if (!is_watched || is_reported || is_allowed(address, address + nbytes - 1, is_store)) {
        return;
    }
    is_reported = true;
    fprintf(report, "%u %s %u %" PRIu64 " %" PRIu64, part, is_store ? "writes" : "reads", nbytes, address,
            (uint64_t)(uintptr_t)pc);
    for (unsigned i = fixed_count; i < range_count; i++) {
        fprintf(report, " %" PRIu64 " %" PRIu64, ranges[i].first, ranges[i].last);
    }
    fputc('\n', report);
}

/* Every second access of the declaring functions completes a range. */
static void on_declaration(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *is_writable) {
    (void)vcpu;
    (void)info;
    if (range_count == MAX_RANGES) {
        abort();
    }
    Range *range = &ranges[range_count];
    if (is_half_declared) {
        range->last = address;
        range->is_writable = is_writable != NULL;
        range_count++;
    } else {
        range->first = address;
    }
    is_half_declared = !is_half_declared;
}

static void on_begin(unsigned vcpu, void *nothing) {
    (void)vcpu;
    (void)nothing;
    is_watched = true;
    is_reported = false;
}

static void on_end(unsigned vcpu, void *nothing) {
    (void)vcpu;
    (void)nothing;
    is_watched = false;
    range_count = fixed_count;
    part++;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    const uint64_t at = qemu_plugin_tb_vaddr(block);
    if (at == at_begin || at == at_end) {
        qemu_plugin_register_vcpu_tb_exec_cb(block, at == at_begin ? on_begin : on_end, QEMU_PLUGIN_CB_NO_REGS, NULL);
        return;
    }
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        const bool declares = at == at_readable || at == at_writable;
        void *pc = (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn), *is_writable = at == at_writable ? ranges : NULL;
        qemu_plugin_register_vcpu_mem_cb(insn, declares ? on_declaration : on_access, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, declares ? is_writable : pc);
    }
}

/* The last line says how much was watched: nothing at all would be no finding either. */
static void on_shutdown(qemu_plugin_id_t id, void *nothing) {
    (void)id;
    (void)nothing;
    if (report != NULL) {
        fprintf(report, "%u parts watched\n", part);
        fclose(report);
    }
}

static void add_fixed(const char *text, bool is_writable) {
    char *next;
    const uint64_t first = strtoull(text, &next, 0);
    ranges[fixed_count++] = (Range){first, strtoull(next + 1, NULL, 0) - 1, is_writable};
    range_count = fixed_count;
}

static bool take_argument(const char *name, const char *value) {
    const struct {
        const char *name;
        uint64_t *address;
    } functions[] = {
        {"readable", &at_readable}, {"writable", &at_writable}, {"begin", &at_begin}, {"end", &at_end}};
    for (unsigned i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (strcmp(name, functions[i].name) == 0) {
            *functions[i].address = strtoull(value, NULL, 0) & ~UINT64_C(1);
            return true;
        }
    }
    if (strcmp(name, "report") == 0) {
        report = fopen(value, "w");
        return report != NULL;
    }
    add_fixed(value, strcmp(name, "stack") == 0);
    return true;
}

/* Arguments: the functions readable, writable, begin and end; stack, code, literals: START-END; report: a file. */
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL) {
            return -1;
        }
        *value = '\0';
        if (!take_argument(argv[i], value + 1)) {
            return -1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_shutdown, NULL);
    return 0;
}
