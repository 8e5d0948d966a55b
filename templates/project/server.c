#include "server.h"

#include "cpu.h"
#include "link.h"
#include "program.h"
#if defined(EMULATED)
#include "semihosting.h"
#endif

/* What the hook does during a run. */
#define MODE_PLAIN 0u
#define MODE_STEPWISE 1u /* stop after each step and serve reads of what it wrote */
#define MODE_TICKS 2u    /* count the ticks of each step */
#define MODE_TRACE 3u    /* copy what each step wrote into a file; emulators only */
#define MODE_TIMED 4u    /* count the ticks of the whole run */

#define STATE_FINISHED 0u
#define STATE_STOPPED 1u

static volatile uint32_t mode;
static uint32_t event;
static uint32_t last_tick;
static uint32_t hook_ticks;  /* cost of one call of the hook */
static uint32_t empty_ticks; /* cost of looking at the counter */
static uint64_t run_ticks;   /* of the last run, where they were counted, roughly with hooks; 0: not known */
static uint32_t ticks_kind;
static int init_code;
static int restarted; /* a new host came while the network was stopped at a step */

static void copy(uint8_t *to, const uint8_t *from, uint32_t nbytes) {
    while (nbytes-- > 0u) {
        *to++ = *from++;
    }
}

static int is_inside(uint32_t offset, uint32_t nbytes, uint32_t limit) {
    return nbytes <= MAX_PAYLOAD && offset <= limit && nbytes <= limit - offset;
}

static void reply_code(uint8_t status, int code) {
    put_u32(link_data, (uint32_t)code);
    link_reply(status, 4u);
}

static void reply_hello(void) {
    copy(link_data, program_id, 8u);
    put_u32(link_data + 8, cpu_id());
    put_u32(link_data + 12, MAX_PAYLOAD);
    put_u32(link_data + 16, program_port_count);
    put_u32(link_data + 20, program_arena_nbytes);
    put_u32(link_data + 24, (uint32_t)init_code);
    put_u32(link_data + 28, cpu_clock_hz());
    put_u32(link_data + 32, ticks_kind);
    link_reply(STATUS_OK, 36u);
}

static void write_port(const Request *request) {
    if (request->nbytes < 6u) {
        link_reply(STATUS_RANGE, 0u);
        return;
    }
    uint32_t port = get_u16(request->payload);
    uint32_t offset = get_u32(request->payload + 2);
    uint32_t nbytes = request->nbytes - 6u;
    if (port >= program_port_count || !is_inside(offset, nbytes, program_ports[port].nbytes)) {
        link_reply(STATUS_RANGE, 0u);
        return;
    }
    copy((uint8_t *)program_ports[port].address() + offset, request->payload + 6, nbytes);
    link_reply(STATUS_OK, 0u);
}

static void reply_block(const uint8_t *block, uint32_t limit, const uint8_t *range) {
    uint32_t offset = get_u32(range);
    uint32_t nbytes = get_u32(range + 4);
    if (!is_inside(offset, nbytes, limit)) {
        link_reply(STATUS_RANGE, 0u);
        return;
    }
    copy(link_data, block + offset, nbytes);
    link_reply(STATUS_OK, nbytes);
}

static void read_port(const Request *request) {
    uint32_t port = request->nbytes == 10u ? get_u16(request->payload) : program_port_count;
    if (port >= program_port_count) {
        link_reply(STATUS_RANGE, 0u);
        return;
    }
    reply_block(program_ports[port].address(), program_ports[port].nbytes, request->payload + 2);
}

/* The measured ticks; the last two numbers are the cost of a call of the hook and of an empty measurement. */
static void read_ticks(const Request *request) {
    uint32_t first = request->nbytes == 8u ? get_u32(request->payload) : 0u;
    uint32_t count = request->nbytes == 8u ? get_u32(request->payload + 4) : 0u;
    uint32_t limit = program_tick_count + 2u;
    if (count == 0u || count > MAX_PAYLOAD / 4u || first > limit || count > limit - first) {
        link_reply(STATUS_RANGE, 0u);
        return;
    }
    for (uint32_t i = 0u; i < count; i++) {
        uint32_t index = first + i;
        uint32_t value = index == limit - 2u ? hook_ticks : empty_ticks;
        put_u32(link_data + 4u * i, index < limit - 2u ? program_ticks[index] : value);
    }
    link_reply(STATUS_OK, 4u * count);
}

static void begin_ticks(void) {
    cpu_ticks_start();
    last_tick = cpu_ticks();
    empty_ticks = (cpu_ticks() - last_tick) & CPU_TICKS_MASK;
    mode = MODE_TICKS;
    program_call_hook();
    hook_ticks = program_ticks[1]; /* from the first of the three calls to the second */
    event = 0u;
}

static uint64_t long_ticks_since(uint64_t begin) {
    uint64_t now = cpu_long_ticks();
    return now == TICKS_LOST ? 0u : (now - begin) & CPU_LONG_TICKS_MASK;
}

/* What the short counter says of an interval, with the bits that it lost: the long counter's lies closely around it. */
static uint64_t whole_ticks(uint32_t ticks, uint64_t around) {
    return around > ticks ? ((around - ticks) >> 32 << 32) + ticks : around == 0u ? 0u : ticks;
}

static int run(uint32_t in_mode) {
    event = 0u;
    cpu_stack_paint();
    if (in_mode == MODE_TICKS) {
        begin_ticks();
    } else if (in_mode == MODE_TIMED) {
        cpu_ticks_start();
    }
    uint64_t begin = cpu_long_ticks();
    mode = in_mode;
    last_tick = cpu_ticks();
    int code = program_run();
    uint32_t now = cpu_ticks();
    mode = MODE_PLAIN;
    run_ticks = in_mode == MODE_TIMED || in_mode == MODE_TICKS ? long_ticks_since(begin) : 0u;
    if (in_mode == MODE_TIMED) {
        run_ticks = whole_ticks((now - last_tick) & CPU_TICKS_MASK, run_ticks);
    }
    cpu_ticks_stop();
    if (in_mode == MODE_TICKS && event < program_tick_count) {
        program_ticks[event] = (now - last_tick) & CPU_TICKS_MASK;
    }
    return code;
}

static void run_and_reply(uint32_t in_mode) {
    restarted = 0;
    int code = run(in_mode);
    if (restarted) {
        reply_hello();
    } else if (cpu_stack_is_full()) {
        link_reply(STATUS_STACK, 0u);
    } else if (code != 0) {
        reply_code(STATUS_RUN, code);
    } else {
        link_data[0] = STATE_FINISHED;
        put_u32(link_data + 1, cpu_stack_nbytes());
        put_u32(link_data + 5, event);
        put_u32(link_data + 9, (uint32_t)run_ticks);
        put_u32(link_data + 13, (uint32_t)(run_ticks >> 32));
        link_reply(STATUS_OK, 17u);
    }
}

/* Serves the host in the middle of a run, until it wants to go on. The reply to that comes from the next stop. */
static void stop_at(uint32_t step, const uint8_t *data, uint32_t nbytes) {
    link_data[0] = STATE_STOPPED;
    put_u32(link_data + 1, step);
    put_u32(link_data + 5, nbytes);
    link_reply(STATUS_OK, 9u);
    for (;;) {
        Request request;
        link_next(&request);
        if (request.command == LINK_CONTINUE) {
            return;
        }
        if (request.command == LINK_HELLO) {
            restarted = 1;
            mode = MODE_PLAIN;
            return;
        }
        if (request.command == LINK_READ_STEP && request.nbytes == 8u) {
            reply_block(data, nbytes, request.payload);
        } else {
            link_reply(STATUS_UNKNOWN, 0u);
        }
    }
}

#if defined(EMULATED)
static int trace_file;
static int trace_failed;

static void trace_block(uint32_t label, const void *data, uint32_t nbytes) {
    const uint32_t head[2] = {label, nbytes};
    trace_failed |= !file_write(trace_file, head, sizeof head);
    trace_failed |= nbytes > 0u && !file_write(trace_file, data, nbytes);
}
#endif

void mcu_on_step(int step, const void *data, size_t nbytes) {
    uint32_t now = cpu_ticks();
    if (mode == MODE_TICKS) {
        if (event < program_tick_count) {
            program_ticks[event] = (now - last_tick) & CPU_TICKS_MASK;
        }
        event++;
        last_tick = cpu_ticks();
        return;
    }
    event++;
    if (mode == MODE_STEPWISE) {
        stop_at((uint32_t)step, data, (uint32_t)nbytes);
    }
#if defined(EMULATED)
    if (mode == MODE_TRACE) {
        trace_block((uint32_t)step, data, (uint32_t)nbytes);
    }
#endif
}

#if defined(EMULATED)
#define LABEL_OUTPUT 0x80000000u

/* One sample: inputs from one file, the trace and the outputs into the other. */
static int run_sample(int inputs, uint32_t in_mode, int *code) {
    for (uint32_t i = 0u; i < program_input_count; i++) {
        if (!file_read(inputs, program_ports[i].address(), program_ports[i].nbytes)) {
            return 0;
        }
    }
    *code = run(in_mode);
    for (uint32_t i = program_input_count; i < program_port_count; i++) {
        trace_block(LABEL_OUTPUT + i - program_input_count, program_ports[i].address(), program_ports[i].nbytes);
    }
    return !trace_failed;
}

static uint8_t run_samples(int inputs, uint32_t in_mode, uint32_t count, int *code) {
    for (uint32_t i = 0u; i < count; i++) {
        if (!run_sample(inputs, in_mode, code)) {
            return STATUS_FILE;
        }
        if (cpu_stack_is_full()) {
            return STATUS_STACK;
        }
        if (*code != 0) {
            return STATUS_RUN;
        }
    }
    return STATUS_OK;
}

/* The string behind a string, both within nbytes; or NULL. */
static const char *second_string(const uint8_t *bytes, uint32_t nbytes) {
    uint32_t length = 0u;
    while (length < nbytes && bytes[length] != 0u) {
        length++;
    }
    if (length + 1u >= nbytes || bytes[nbytes - 1u] != 0u) {
        return NULL;
    }
    return (const char *)bytes + length + 1u;
}

/* Payload: mode u8, count u32, the path of the inputs, 0, the path of the outputs, 0. */
static void batch(const Request *request) {
    const char *inputs_path = (const char *)request->payload + 5;
    const char *outputs_path = second_string(request->payload + 5, request->nbytes - 5u);
    if (outputs_path == NULL || request->payload[0] == MODE_STEPWISE || request->payload[0] > MODE_TRACE) {
        link_reply(STATUS_RANGE, 0u);
        return;
    }
    trace_failed = 0;
    int code = 0;
    int inputs = file_open(inputs_path, FILE_READ);
    trace_file = file_open(outputs_path, FILE_WRITE);
    uint8_t status = STATUS_FILE;
    if (inputs >= 0 && trace_file >= 0) {
        status = run_samples(inputs, request->payload[0], get_u32(request->payload + 1), &code);
    }
    file_close(inputs);
    file_close(trace_file);
    put_u32(link_data, status == STATUS_OK ? cpu_stack_nbytes() : (uint32_t)code);
    put_u32(link_data + 4, event);
    link_reply(status, 8u);
}
#endif

static int is_mode(uint32_t asked) { return asked <= MODE_TICKS || asked == MODE_TIMED; }

static void carry_out(const Request *request) {
    if (request->command == LINK_HELLO) {
        reply_hello();
    } else if (init_code != 0) {
        reply_code(STATUS_INIT, init_code);
    } else if (request->command == LINK_WRITE) {
        write_port(request);
    } else if (request->command == LINK_READ) {
        read_port(request);
    } else if (request->command == LINK_RUN && request->nbytes == 1u && is_mode(request->payload[0])) {
        run_and_reply(request->payload[0]);
    } else if (request->command == LINK_READ_TICKS) {
        read_ticks(request);
#if defined(EMULATED)
    } else if (request->command == LINK_BATCH && request->nbytes > 6u) {
        batch(request);
    } else if (request->command == LINK_EXIT && request->nbytes == 1u) {
        link_reply(STATUS_OK, 0u);
        emulator_exit(request->payload[0]);
#endif
    } else {
        link_reply(STATUS_UNKNOWN, 0u);
    }
}

void server_run(void) {
    ticks_kind = cpu_ticks_kind();
    init_code = program_init();
    for (;;) {
        Request request;
        link_next(&request);
        carry_out(&request);
    }
}

void server_report_fault(const uint32_t *registers, uint32_t count) {
    for (;;) {
        for (uint32_t i = 0u; i < count; i++) {
            put_u32(link_data + 4u * i, registers[i]);
        }
        link_reply(STATUS_FAULT, 4u * count);
        Request request;
        link_next(&request);
    }
}
