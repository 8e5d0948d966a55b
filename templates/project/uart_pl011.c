/* Arm's PL011: Stellaris, RP2040, RP2350. */
#include "cpu.h"
#include "registers.h"
#include "uart.h"

#define UART_DR REGISTER(UART_BASE + 0x00u)
#define UART_FR REGISTER(UART_BASE + 0x18u)
#define UART_IBRD REGISTER(UART_BASE + 0x24u)
#define UART_FBRD REGISTER(UART_BASE + 0x28u)
#define UART_LCR_H REGISTER(UART_BASE + 0x2Cu)
#define UART_CR REGISTER(UART_BASE + 0x30u)
#define UART_IMSC REGISTER(UART_BASE + 0x38u)
#define UART_ICR REGISTER(UART_BASE + 0x44u)

#define UART_FR_RXFE BIT(4)
#define UART_FR_TXFF BIT(5)
#define UART_LCR_H_FEN BIT(4)
#define UART_LCR_H_WLEN FIELD(5, 2)
#define UART_CR_UARTEN BIT(0)
#define UART_CR_TXE BIT(8)
#define UART_CR_RXE BIT(9)
#define UART_IMSC_RXIM BIT(4)
#define UART_IMSC_RTIM BIT(6) /* some bytes are in the FIFO, and no more have come for a while */
#define UART_ICR_RXIC BIT(4)
#define UART_ICR_RTIC BIT(6)

#define WLEN_8_BITS 3u
#define DIVIDER_64THS(hz) (((hz) * 4u + UART_BAUD / 2u) / UART_BAUD)

void uart_init(void) {
    uint32_t divider = cpu_clock_is_set() ? DIVIDER_64THS(UART_CLOCK_HZ) : DIVIDER_64THS(FALLBACK_HZ);
    UART_CR = 0u;
    UART_IBRD = divider / 64u;
    UART_FBRD = divider % 64u;
    UART_LCR_H = IN_FIELD(UART_LCR_H_WLEN, WLEN_8_BITS) | UART_LCR_H_FEN;
    UART_IMSC = UART_IMSC_RXIM | UART_IMSC_RTIM;
    UART_CR = UART_CR_UARTEN | UART_CR_TXE | UART_CR_RXE;
    cpu_interrupt_enable(UART_IRQ);
}

void uart_service(void) {
    UART_ICR = UART_ICR_RXIC | UART_ICR_RTIC;
    while ((UART_FR & UART_FR_RXFE) == 0u) {
        uart_store((uint8_t)UART_DR);
    }
}

void uart_send(uint8_t byte) {
    while ((UART_FR & UART_FR_TXFF) != 0u) {
    }
    UART_DR = byte;
}
