/* The LPUART of NXP's i.MX RT. A FIFO holds 4 bytes. */
#include "cpu.h"
#include "registers.h"
#include "uart.h"

#define LPUART_BAUD REGISTER(UART_BASE + 0x10u)
#define LPUART_STAT REGISTER(UART_BASE + 0x14u)
#define LPUART_CTRL REGISTER(UART_BASE + 0x18u)
#define LPUART_DATA REGISTER(UART_BASE + 0x1Cu)
#define LPUART_FIFO REGISTER(UART_BASE + 0x28u)
#define LPUART_WATER REGISTER(UART_BASE + 0x2Cu)

#define LPUART_BAUD_SBR FIELD(0, 13)
#define LPUART_BAUD_OSR FIELD(24, 5)
#define LPUART_STAT_OR BIT(19)
#define LPUART_STAT_RDRF BIT(21)
#define LPUART_STAT_TDRE BIT(23)
#define LPUART_CTRL_RE BIT(18)
#define LPUART_CTRL_TE BIT(19)
#define LPUART_CTRL_RIE BIT(21)
#define LPUART_CTRL_ORIE BIT(27)
#define LPUART_FIFO_RXFE BIT(3)
#define LPUART_FIFO_TXFE BIT(7)
#define LPUART_FIFO_RXFLUSH BIT(14)
#define LPUART_FIFO_TXFLUSH BIT(15)

#define SAMPLES 16u /* per bit */
#define DIVIDER(hz) (((hz) / SAMPLES + UART_BAUD / 2u) / UART_BAUD)

void uart_init(void) {
    LPUART_CTRL = 0u;
    LPUART_BAUD = IN_FIELD(LPUART_BAUD_OSR, SAMPLES - 1u) | IN_FIELD(LPUART_BAUD_SBR, DIVIDER(UART_CLOCK_HZ));
    LPUART_FIFO = LPUART_FIFO_RXFE | LPUART_FIFO_TXFE | LPUART_FIFO_RXFLUSH | LPUART_FIFO_TXFLUSH;
    LPUART_WATER = 0u; /* one byte will do */
    LPUART_STAT = LPUART_STAT_OR;
    LPUART_CTRL = LPUART_CTRL_RE | LPUART_CTRL_TE | LPUART_CTRL_RIE | LPUART_CTRL_ORIE;
    cpu_interrupt_enable(UART_IRQ);
}

void uart_service(void) {
    while ((LPUART_STAT & LPUART_STAT_RDRF) != 0u) {
        uart_store((uint8_t)LPUART_DATA);
    }
    LPUART_STAT = LPUART_STAT_OR; /* nothing is received after an overrun until this is said */
}

void uart_send(uint8_t byte) {
    while ((LPUART_STAT & LPUART_STAT_TDRE) == 0u) {
    }
    LPUART_DATA = byte;
}
