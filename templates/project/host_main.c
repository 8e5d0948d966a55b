/* Runs the network on the host: samples on standard input, one after the other; records on standard output.
 * A record is label u32, nbytes u32, data, as in a batch on the emulator. An argument asks for every step's output. */
#include <stdio.h>

#include "program.h"

#define LABEL_OUTPUT 0x80000000u
#define EXIT_INIT 101
#define EXIT_RUN 102
#define EXIT_FILE 103

static int is_traced;

static void write_record(uint32_t label, const void *data, size_t nbytes) {
    const uint32_t head[2] = {label, (uint32_t)nbytes};
    fwrite(head, sizeof head, 1, stdout);
    fwrite(data, 1, nbytes, stdout);
}

void mcu_on_step(int step, const void *data, size_t nbytes) {
    if (is_traced) {
        write_record((uint32_t)step, data, nbytes);
    }
}

/* Whether there was a whole sample; an end in the middle of one is an error of the caller. */
static int read_sample(void) {
    for (uint32_t i = 0; i < program_input_count; i++) {
        if (fread(program_ports[i].address(), 1, program_ports[i].nbytes, stdin) != program_ports[i].nbytes) {
            return 0;
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    (void)argv;
    is_traced = argc > 1;
    if (program_init() != 0) {
        return EXIT_INIT;
    }
    while (read_sample()) {
        if (program_run() != 0) {
            return EXIT_RUN;
        }
        for (uint32_t i = program_input_count; i < program_port_count; i++) {
            write_record(LABEL_OUTPUT + i - program_input_count, program_ports[i].address(), program_ports[i].nbytes);
        }
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : EXIT_FILE;
}
