/* Answers the runner of MLPerf Tiny in its text protocol, in place of the framed one.
 *
 * A command ends in '%'; the answer is lines that begin with "m-" (or "e-" for an error) and ends in "m-ready". The
 * runner loads an input in hexadecimal digits (db load N, db HH..), asks for N runs after W that do not count (infer N
 * W), takes the time between two lines m-lap-us-T, and reads m-results-[..]. It sends nothing before "m-ready".
 */
#include "cpu.h"
#include "mlperf_network.h"
#include "program.h"
#include "server.h"
#include "uart.h"

#define COMMAND_NBYTES 81u /* the runner's commands have at most 80 characters */
#define WARMUPS 10u        /* where the runner does not say how many */
#define PRINTED_PER_LINE 8u
#define DECIMALS 9u
#define REAL_MAX 1e9f /* what has more digits in front of the point is printed with an exponent */

int main(void);

void *memcpy(void *restrict to, const void *restrict from, size_t nbytes); /* of memory.c */

static char command[COMMAND_NBYTES];
static const char *rest; /* what of the command has not been read yet */
static uint8_t loaded[MLPERF_INPUT_NBYTES] __attribute__((aligned(4))); /* as the network takes it */
static uint32_t expected_nbytes;
static uint32_t loaded_nbytes;

static void put(const char *text) {
    while (*text != '\0') {
        uart_send((uint8_t)*text++);
    }
}

static void put_line(const char *text) {
    put(text);
    put("\r\n");
}

static void put_number(uint64_t value) {
    char digits[21];
    uint32_t at = sizeof digits - 1u;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value > 0u);
    put(digits + at);
}

static void put_hex(uint8_t byte) {
    static const char digits[] = "0123456789abcdef";
    uart_send((uint8_t)digits[byte >> 4]);
    uart_send((uint8_t)digits[byte & 15u]);
}

/* Decimals are cut off, not rounded: nine of them tell all outputs of 8 and 16 bits apart. */
static void put_real(float value) {
    uint32_t exponent = 0u;
    if (value != value) {
        put("nan");
        return;
    }
    if (value < 0.0f) {
        put("-");
        value = -value;
    }
    if (value > 3.4e38f) {
        put("inf");
        return;
    }
    for (; value >= REAL_MAX; exponent++) {
        value /= 10.0f;
    }
    uint32_t whole = (uint32_t)value;
    uint32_t fraction = (uint32_t)((value - (float)whole) * 4294967296.0f);
    put_number(whole);
    put(".");
    for (uint32_t i = 0u; i < DECIMALS; i++) {
        uint64_t next = (uint64_t)fraction * 10u;
        uart_send((uint8_t)('0' + (uint32_t)(next >> 32)));
        fraction = (uint32_t)next;
    }
    if (exponent > 0u) {
        put("e");
        put_number(exponent);
    }
}

/* Reads a command up to its end. One that is too long is cut off, and so is answered as unknown or incomplete. */
static void read_command(void) {
    uint32_t nbytes = 0u;
    for (;;) {
        int byte = uart_receive();
        if (byte < 0) {
            uart_wait();
        } else if (byte == '%') {
            command[nbytes] = '\0';
            rest = command;
            return;
        } else if (nbytes < COMMAND_NBYTES - 1u && byte >= ' ') { /* also not the zero that an open line may give */
            command[nbytes++] = (char)byte;
        }
    }
}

static const char *next_word(void) {
    while (*rest == ' ') {
        rest++;
    }
    return rest;
}

/* Whether the next word of the command is this one; then it has been read. */
static int takes(const char *word) {
    const char *at = next_word();
    while (*word != '\0' && *at == *word) {
        at++;
        word++;
    }
    if (*word != '\0' || (*at != '\0' && *at != ' ')) {
        return 0;
    }
    rest = at;
    return 1;
}

/* The next word as a number, or `otherwise` when there is none; what is no number counts as 0. */
static uint32_t take_number(uint32_t otherwise) {
    const char *at = next_word();
    uint32_t value = 0u;
    if (*at == '\0') {
        return otherwise;
    }
    for (; *at >= '0' && *at <= '9' && value < 100000000u; at++) {
        value = 10u * value + (uint32_t)(*at - '0');
    }
    rest = at;
    return *at == '\0' || *at == ' ' ? value : 0u;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void begin_load(void) {
    uint32_t nbytes = take_number(0u);
    loaded_nbytes = 0u;
    expected_nbytes = 0u;
    if (nbytes != sizeof loaded) {
        put("e-[The input has ");
        put_number(sizeof loaded);
        put_line(" bytes]");
        return;
    }
    expected_nbytes = nbytes;
    put("m-[Expecting ");
    put_number(nbytes);
    put_line(" bytes]");
}

static void load_digits(void) {
    const char *at = next_word();
    if (*at == '\0') {
        put_line("e-[Command 'db' requires a subcommand]");
        return;
    }
    while (*at != '\0' && *at != ' ' && loaded_nbytes < expected_nbytes) {
        int high = hex_digit(at[0]);
        int low = high < 0 ? -1 : hex_digit(at[1]);
        if (low < 0) {
            put_line("e-[Invalid hex digits]");
            return;
        }
        loaded[loaded_nbytes++] = (uint8_t)(16 * high + low) ^ MLPERF_INPUT_FLIP;
        at += 2;
    }
    if (loaded_nbytes == expected_nbytes) {
        put_line(expected_nbytes > 0u ? "m-load-done" : "e-[Command 'db load' must come first]");
    }
}

static void print_loaded(void) {
    for (uint32_t i = 0u; i < loaded_nbytes; i++) {
        int is_last = (i + 1u) % PRINTED_PER_LINE == 0u || i + 1u == loaded_nbytes;
        if (i % PRINTED_PER_LINE == 0u) {
            put("m-buffer-");
        }
        put_hex(loaded[i] ^ MLPERF_INPUT_FLIP);
        put(is_last ? "\r\n" : "-");
    }
}

/* Every run needs its input anew: the network's memory plan may put other data there during a run. */
static void fill_input(void) {
    memcpy(program_ports[0].address(), loaded, sizeof loaded);
}

static float output(uint32_t i) {
    const MlperfOutput *values = program_ports[program_input_count].address();
    return mlperf_real(values[i]);
}

static void put_results(void) {
    put("m-results-[");
#if MLPERF_SCORE == MLPERF_RECONSTRUCTION
    float sum = 0.0f;
    for (uint32_t i = 0u; i < MLPERF_OUTPUT_SIZE; i++) {
        float difference = output(i) - ((const float *)(const void *)loaded)[i];
        sum += difference * difference;
    }
    put_real(sum / (float)MLPERF_OUTPUT_SIZE);
#else
    for (uint32_t i = 0u; i < MLPERF_OUTPUT_SIZE; i++) {
        put(i > 0u ? "," : "");
        put_real(output(i));
    }
#endif
    put_line("]");
}

static void put_time(void) {
    put("m-lap-us-");
    put_number(cpu_time_us());
    put("\r\n");
}

static int run(uint32_t count) {
    for (; count > 0u; count--) {
        fill_input();
        if (program_run() != 0) {
            put_line("e-[The network failed]");
            return 0;
        }
    }
    return 1;
}

static void infer(void) {
    uint32_t count = take_number(1u);
    uint32_t warmups = take_number(WARMUPS);
    if (count == 0u) {
        put_line("e-[Inference iterations must be >0]");
        return;
    }
    if (loaded_nbytes != sizeof loaded) {
        put_line("e-[No input has been loaded]");
        return;
    }
    put("m-warmup-start-");
    put_number(warmups);
    put("\r\n");
    if (!run(warmups)) {
        return;
    }
    put_line("m-warmup-done");
    put("m-infer-start-");
    put_number(count);
    put("\r\n");
    put_time();
    if (!run(count)) {
        return;
    }
    put_time();
    put_line("m-infer-done");
    put_results();
}

static void help(void) {
    put_line("name, profile, timestamp, help");
    put_line("db load N     : begin to load an input of N bytes");
    put_line("db HH[HH]*    : the next bytes of the input");
    put_line("db print      : the bytes loaded so far");
    put_line("infer N [W=10]: run N times after W times that do not count");
    put_line("results       : the outputs of the last run");
}

static void carry_out(void) {
    if (takes("name")) {
        put_line("m-name-dut-[mcucompile]");
    } else if (takes("profile")) {
        put_line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
        put_line("m-model-[" MLPERF_MODEL "]");
    } else if (takes("timestamp")) {
        put_time();
    } else if (takes("help")) {
        help();
    } else if (takes("infer")) {
        infer();
    } else if (takes("results")) {
        put_results();
    } else if (!takes("db")) {
        put("e-[Unknown command: ");
        put(command);
        put_line("]");
    } else if (takes("load")) {
        begin_load();
    } else if (takes("print")) {
        print_loaded();
    } else {
        load_digits();
    }
}

int main(void) {
    uart_init();
    cpu_time_start();
    int code = program_init();
    put_line("m-timestamp-mode-performance");
    put_line(code == 0 ? "m-init-done" : "e-[The network cannot be initialized]");
    for (;;) {
        put_line("m-ready");
        read_command();
        carry_out();
    }
}

/* There is nobody to go on with after a fault, and the runner waits for "m-ready" only so long. */
void server_report_fault(const uint32_t *registers, uint32_t count) {
    put("e-[Fault at ");
    for (uint32_t shift = 32u; shift > 0u && count > 1u; shift -= 8u) {
        put_hex((uint8_t)(registers[1] >> (shift - 8u)));
    }
    put_line("]");
    for (;;) {
    }
}
