/* The UART of Arm's CMSDK: MPS2 and MPS3 boards. It has no FIFO. */
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(UART_BASE + (offset)))
#define DATA REGISTER(0x00u)
#define STATE REGISTER(0x04u)
#define CTRL REGISTER(0x08u)
#define BAUDDIV REGISTER(0x10u)

#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define BAUDDIV_MIN 16u

void uart_init(void) {
    uint32_t divider = CLOCK_HZ / UART_BAUD;
    BAUDDIV = divider < BAUDDIV_MIN ? BAUDDIV_MIN : divider;
    CTRL = 3u; /* transmit and receive */
}

int uart_receive(void) {
    if ((STATE & STATE_RX_FULL) == 0u) {
        return -1;
    }
    return (int)(DATA & 0xFFu);
}

void uart_send(uint8_t byte) {
    while ((STATE & STATE_TX_FULL) != 0u) {
    }
    DATA = byte;
}
