/* Calls every kernel of the table, on the host or on an emulated board, and writes what came out to results.bin. */
#include "rig.h"

#ifdef __arm__
#include "semihosting.h"
#include "server.h"
#else
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#endif

#define GUARD_NBYTES 32u
#define GUARD 0xA5u
#define STATUS_GUARD 1u
#define STATUS_INPUT 2u

/* 8 modulo 16: no kernel may count on more than the planner's alignment. */
#define ALIGN(n) (((n) + 15u) / 16u * 16u + 8u)

__asm__(
#ifdef __arm__
    ".section .rodata\n"
#else
    ".section .rodata,\"a\"\n"
#endif
    ".balign 16\n.global blob, blob_end\nblob:\n.incbin \"blob.bin\"\nblob_end:\n.text\n");
extern uint8_t blob[];

#ifdef __arm__
#define MEMORY_NBYTES 0x40000u
static uint64_t memory64[MEMORY_NBYTES / 8u];
static int file;
int main(void);

/* For the plugin accesses.c: both ends of an operand, then where watching begins and ends. */
void watch_readable(const uint8_t *first, const uint8_t *last);
void watch_writable(const uint8_t *first, const uint8_t *last);
void watch_begin(void);
void watch_end(void);
__asm__(
    ".syntax unified\n"
    ".macro watched name\n"
    ".balign 4\n.global \\name\n.type \\name, %function\n.thumb_func\n\\name:\n"
    ".endm\n"
    "watched watch_readable\n ldrb r0, [r0]\n ldrb r1, [r1]\n bx lr\n"
    "watched watch_writable\n ldrb r0, [r0]\n ldrb r1, [r1]\n bx lr\n"
    "watched watch_begin\n bx lr\n"
    "watched watch_end\n bx lr\n");

static void open_results(void) { file = file_open("results.bin", FILE_WRITE); }
static void write_results(const void *data, uint32_t nbytes) {
    if (!file_write(file, data, nbytes)) {
        emulator_exit(90u);
    }
}
static uint8_t *take_memory(uint32_t nbytes) {
    if (nbytes > MEMORY_NBYTES) {
        emulator_exit(91u);
    }
    return (uint8_t *)memory64;
}
static void give_back(uint8_t *memory) { (void)memory; }
void server_report_fault(const uint32_t *registers, uint32_t count) {
    (void)registers;
    (void)count;
    emulator_exit(92u);
}
#else
static void watch_readable(const uint8_t *first, const uint8_t *last) {
    (void)first;
    (void)last;
}
static void watch_writable(const uint8_t *first, const uint8_t *last) { watch_readable(first, last); }
static void watch_begin(void) {}
static void watch_end(void) {}

static FILE *file;

static void open_results(void) { file = fopen("results.bin", "wb"); }
static void write_results(const void *data, uint32_t nbytes) {
    if (fwrite(data, 1, nbytes, file) != nbytes) {
        exit(90);
    }
}
static uint8_t *take_memory(uint32_t nbytes) { return (uint8_t *)malloc(nbytes); }
static void give_back(uint8_t *memory) { free(memory); }
#endif

static void fill(uint8_t *to, uint32_t nbytes) {
    for (uint32_t i = 0; i < nbytes; i++) {
        to[i] = GUARD;
    }
}

static int is_filled(const uint8_t *p, uint32_t nbytes) {
    for (uint32_t i = 0; i < nbytes; i++) {
        if (p[i] != GUARD) {
            return 0;
        }
    }
    return 1;
}

static int is_equal(const uint8_t *a, const uint8_t *b, uint32_t nbytes) {
    for (uint32_t i = 0; i < nbytes; i++) {
        if (a[i] != b[i]) {
            return 0;
        }
    }
    return 1;
}

static void copy(uint8_t *to, const uint8_t *from, uint32_t nbytes) {
    for (uint32_t i = 0; i < nbytes; i++) {
        to[i] = from[i];
    }
}

static void write_outputs(const Row *row, uint8_t *const *arguments, uint32_t status) {
    write_results(&status, 4u);
    for (uint32_t k = 0; k < row->count; k++) {
        if (row->operands[k].kind == OUTPUT) {
            write_results(arguments[k], row->operands[k].nbytes);
        }
    }
}

/* Constants lie in the blob; everything else gets a place of its own in `memory`, with guards around it. */
static uint32_t lay_out_apart(const Row *row, uint8_t *memory, uint8_t **arguments) {
    uint32_t at = 0;
    for (uint32_t k = 0; k < row->count; k++) {
        const Operand *o = &row->operands[k];
        if (o->kind == CONSTANT) {
            arguments[k] = blob + o->blob;
            continue;
        }
        at = ALIGN(at + GUARD_NBYTES);
        arguments[k] = memory == NULL ? NULL : memory + at;
        at += o->nbytes;
    }
    return at + GUARD_NBYTES;
}

static uint32_t check_apart(const Row *row, const uint8_t *memory, uint32_t nbytes, uint8_t *const *arguments) {
    const uint8_t *checked = memory;
    for (uint32_t k = 0; k < row->count; k++) {
        const Operand *o = &row->operands[k];
        if (o->kind == CONSTANT) {
            continue;
        }
        if (!is_filled(checked, (uint32_t)(arguments[k] - checked))) {
            return STATUS_GUARD;
        }
        if (o->kind == INPUT && !is_equal(arguments[k], blob + o->blob, o->nbytes)) {
            return STATUS_INPUT;
        }
        checked = arguments[k] + o->nbytes;
    }
    return is_filled(checked, (uint32_t)(memory + nbytes - checked)) ? 0u : STATUS_GUARD;
}

static void declare(const Operand *o, const uint8_t *at) {
    if (o->kind == INPUT || o->kind == CONSTANT) {
        watch_readable(at, at + o->nbytes - 1u);
    } else {
        watch_writable(at, at + o->nbytes - 1u);
    }
}

static void run_apart(const Row *row) {
    uint8_t *arguments[MAX_ARGUMENTS];
    const uint32_t nbytes = lay_out_apart(row, NULL, arguments);
    uint8_t *memory = take_memory(nbytes);
    fill(memory, nbytes);
    (void)lay_out_apart(row, memory, arguments);
    for (uint32_t k = 0; k < row->count; k++) {
        if (row->operands[k].kind == INPUT) {
            copy(arguments[k], blob + row->operands[k].blob, row->operands[k].nbytes);
        }
    }
    for (uint32_t k = 0; k < row->count; k++) {
        declare(&row->operands[k], arguments[k]);
    }
    watch_begin();
    row->call(arguments);
    watch_end();
    write_outputs(row, arguments, check_apart(row, memory, nbytes, arguments));
    give_back(memory);
}

#ifndef __arm__
/* On the host an allocation per operand lets the address sanitizer see every read beyond one. */
static void run_alone(const Row *row) {
    uint8_t *arguments[MAX_ARGUMENTS];
    for (uint32_t k = 0; k < row->count; k++) {
        const Operand *o = &row->operands[k];
        arguments[k] = (uint8_t *)malloc(o->nbytes);
        if (o->kind == INPUT || o->kind == CONSTANT) {
            memcpy(arguments[k], blob + o->blob, o->nbytes);
        }
    }
    row->call(arguments);
    for (uint32_t k = 0; k < row->count; k++) {
        free(arguments[k]);
    }
}
#endif

static void run_planned(const Row *row) {
    uint8_t *arguments[MAX_ARGUMENTS];
    const uint32_t nbytes = row->arena_nbytes + 2u * GUARD_NBYTES;
    uint8_t *memory = take_memory(nbytes);
    uint8_t *arena = memory + GUARD_NBYTES;
    fill(memory, nbytes);
    for (uint32_t k = 0; k < row->count; k++) {
        const Operand *o = &row->operands[k];
        arguments[k] = o->kind == CONSTANT ? blob + o->blob : arena + o->planned;
        if (o->kind == INPUT) {
            copy(arguments[k], blob + o->blob, o->nbytes);
        }
        if (o->kind == CONSTANT) {
            declare(o, arguments[k]);
        }
    }
    watch_writable(arena, arena + row->arena_nbytes - 1u);
    watch_begin();
    row->call(arguments);
    watch_end();
    const int intact = is_filled(memory, GUARD_NBYTES) && is_filled(arena + row->arena_nbytes, GUARD_NBYTES);
    write_outputs(row, arguments, intact ? 0u : STATUS_GUARD);
    give_back(memory);
}

int main(void) {
    open_results();
    for (uint32_t i = 0; i < row_count; i++) {
#ifndef __arm__
        run_alone(&rows[i]);
#endif
        run_apart(&rows[i]);
        run_planned(&rows[i]);
    }
#ifdef __arm__
    emulator_exit(0u);
#else
    fclose(file);
#endif
    return 0;
}
