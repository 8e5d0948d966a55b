/* The USART of the STM32 families F1, F2, F4 and L1. Pins and clocks must have been set up before. */
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(UART_BASE + (offset)))
#define SR REGISTER(0x00u)
#define DR REGISTER(0x04u)
#define BRR REGISTER(0x08u)
#define CR1 REGISTER(0x0Cu)

#define SR_RXNE 0x20u
#define SR_TXE 0x80u
#define CR1_ENABLE ((1u << 13) | (1u << 3) | (1u << 2)) /* USART, transmitter, receiver */

void uart_init(void) {
    BRR = (CLOCK_HZ + UART_BAUD / 2u) / UART_BAUD;
    CR1 = CR1_ENABLE;
}

int uart_receive(void) {
    if ((SR & SR_RXNE) == 0u) {
        return -1;
    }
    return (int)(DR & 0xFFu);
}

void uart_wait(void) {}

void uart_send(uint8_t byte) {
    while ((SR & SR_TXE) == 0u) {
    }
    DR = byte;
}
