/* The firmware as a program of the host: the serial line is standard input and output. */
#include <stdlib.h>
#include <unistd.h>

#include "cpu.h"
#include "uart.h"

uint32_t cpu_id(void) { return 0x12345678u; }

uint32_t cpu_clock_hz(void) { return 1000000u; }

uint32_t cpu_ticks_kind(void) { return TICKS_NONE; }

void cpu_ticks_start(void) {}

void cpu_ticks_stop(void) {}

uint32_t cpu_ticks(void) { return 0u; }

uint64_t cpu_long_ticks(void) { return 0u; }

void cpu_stack_paint(void) {}

uint32_t cpu_stack_nbytes(void) { return 4u; }

int cpu_stack_is_full(void) { return 0; }

void uart_init(void) {}

int uart_receive(void) {
    uint8_t byte;
    if (read(0, &byte, 1) != 1) {
        exit(0);
    }
    return byte;
}

void uart_wait(void) {}

void uart_send(uint8_t byte) {
    if (write(1, &byte, 1) != 1) {
        exit(0);
    }
}
