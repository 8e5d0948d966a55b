/* The ring between the receive interrupt and the program. */
#include "uart.h"

#include "cpu.h"

static volatile uint8_t ring[RING_NBYTES];
static volatile uint32_t first; /* of what was not read yet */
static volatile uint32_t end;   /* where the next byte is put */

static uint32_t next(uint32_t index) { return index + 1u < RING_NBYTES ? index + 1u : 0u; }

void uart_store(uint8_t byte) {
    uint32_t behind = next(end);
    if (behind != first) {
        ring[end] = byte;
        end = behind;
    }
}

int uart_receive(void) {
    if (cpu_is_in_fault()) {
        uart_service();
    }
    if (first == end) {
        return -1;
    }
    uint8_t byte = ring[first];
    first = next(first);
    return byte;
}

/* With interrupts off between the look and the sleep: one that comes there ends the sleep, and is taken after it. */
void uart_wait(void) {
    if (cpu_is_in_fault()) {
        return;
    }
    cpu_interrupts_off();
    if (first == end) {
        cpu_sleep();
    }
    cpu_interrupts_on();
}
