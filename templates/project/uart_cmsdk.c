/* The UART of Arm's CMSDK: MPS2 and MPS3 boards. It has no FIFO. */
#include "cpu.h"
#include "registers.h"
#include "uart.h"

#define UART_DATA REGISTER(UART_BASE + 0x00u)
#define UART_STATE REGISTER(UART_BASE + 0x04u)
#define UART_CTRL REGISTER(UART_BASE + 0x08u)
#define UART_INTCLEAR REGISTER(UART_BASE + 0x0Cu)
#define UART_BAUDDIV REGISTER(UART_BASE + 0x10u)

#define UART_STATE_TXBF BIT(0)
#define UART_STATE_RXBF BIT(1)
#define UART_CTRL_TXEN BIT(0)
#define UART_CTRL_RXEN BIT(1)
#define UART_CTRL_RXIRQEN BIT(3)
#define UART_INTCLEAR_RXIRQ BIT(1)

#define BAUDDIV_MIN 16u

void uart_init(void) {
    uint32_t divider = CLOCK_HZ / UART_BAUD;
    UART_BAUDDIV = divider < BAUDDIV_MIN ? BAUDDIV_MIN : divider;
    UART_CTRL = UART_CTRL_TXEN | UART_CTRL_RXEN | UART_CTRL_RXIRQEN;
    cpu_interrupt_enable(UART_IRQ);
}

/* Cleared in this order: a byte that comes in between interrupts again. */
void uart_service(void) {
    UART_INTCLEAR = UART_INTCLEAR_RXIRQ;
    while ((UART_STATE & UART_STATE_RXBF) != 0u) {
        uart_store((uint8_t)UART_DATA);
    }
}

void uart_send(uint8_t byte) {
    while ((UART_STATE & UART_STATE_TXBF) != 0u) {
    }
    UART_DATA = byte;
}
