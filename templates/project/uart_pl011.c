/* Arm's PL011: Stellaris, RP2040, RP2350. Pins and clocks must have been set up before. */
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(UART_BASE + (offset)))
#define DR REGISTER(0x00u)
#define FR REGISTER(0x18u)
#define IBRD REGISTER(0x24u)
#define FBRD REGISTER(0x28u)
#define LCR_H REGISTER(0x2Cu)
#define CR REGISTER(0x30u)

#define FR_RX_EMPTY 0x10u
#define FR_TX_FULL 0x20u
#define LCR_8_BITS_FIFO 0x70u
#define CR_ENABLE 0x301u

#define DIVIDER_64THS ((CLOCK_HZ * 4u + UART_BAUD / 2u) / UART_BAUD)

void uart_init(void) {
    CR = 0u;
    IBRD = DIVIDER_64THS / 64u;
    FBRD = DIVIDER_64THS % 64u;
    LCR_H = LCR_8_BITS_FIFO;
    CR = CR_ENABLE;
}

int uart_receive(void) {
    if ((FR & FR_RX_EMPTY) != 0u) {
        return -1;
    }
    return (int)(DR & 0xFFu);
}

void uart_wait(void) {}

void uart_send(uint8_t byte) {
    while ((FR & FR_TX_FULL) != 0u) {
    }
    DR = byte;
}
