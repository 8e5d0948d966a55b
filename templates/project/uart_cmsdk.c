/* The UART of Arm's CMSDK: MPS2 and MPS3 boards. It has no FIFO. */
#include "cpu.h"
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(UART_BASE + (offset)))
#define DATA REGISTER(0x00u)
#define STATE REGISTER(0x04u)
#define CTRL REGISTER(0x08u)
#define INTCLEAR REGISTER(0x0Cu)
#define BAUDDIV REGISTER(0x10u)

#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_ENABLE 3u
#define CTRL_RX_INTERRUPT 8u
#define INT_RX 2u
#define BAUDDIV_MIN 16u

void uart_init(void) {
    uint32_t divider = CLOCK_HZ / UART_BAUD;
    BAUDDIV = divider < BAUDDIV_MIN ? BAUDDIV_MIN : divider;
    CTRL = CTRL_ENABLE | CTRL_RX_INTERRUPT;
    cpu_interrupt_enable(UART_IRQ);
}

int uart_receive(void) {
    if ((STATE & STATE_RX_FULL) == 0u) {
        return -1;
    }
    return (int)(DATA & 0xFFu);
}

/* Cleared in this order: a byte that comes in between is seen by the next uart_receive. */
void uart_wait(void) {
    cpu_interrupt_wait(UART_IRQ);
    INTCLEAR = INT_RX;
}

void uart_send(uint8_t byte) {
    while ((STATE & STATE_TX_FULL) != 0u) {
    }
    DATA = byte;
}
