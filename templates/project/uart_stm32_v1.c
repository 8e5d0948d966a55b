/* The USART of the STM32 families F1, F2, F4 and L1. */
#include "cpu.h"
#include "registers.h"
#include "uart.h"

#define USART_SR REGISTER(UART_BASE + 0x00u)
#define USART_DR REGISTER(UART_BASE + 0x04u)
#define USART_BRR REGISTER(UART_BASE + 0x08u)
#define USART_CR1 REGISTER(UART_BASE + 0x0Cu)
#define USART_CR2 REGISTER(UART_BASE + 0x10u)
#define USART_CR3 REGISTER(UART_BASE + 0x14u)

#define USART_SR_ORE BIT(3)
#define USART_SR_RXNE BIT(5)
#define USART_SR_TXE BIT(7)
#define USART_CR1_RE BIT(2)
#define USART_CR1_TE BIT(3)
#define USART_CR1_RXNEIE BIT(5)
#define USART_CR1_UE BIT(13)

#define DIVIDER(hz) (((hz) + UART_BAUD / 2u) / UART_BAUD)

/* Off, to be configured: a boot loader may have used it. */
void uart_init(void) {
    USART_CR1 = 0u;
    USART_CR2 = 0u;
    USART_CR3 = 0u;
    USART_BRR = cpu_clock_is_set() ? DIVIDER(UART_CLOCK_HZ) : DIVIDER(FALLBACK_HZ);
    USART_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    cpu_interrupt_enable(UART_IRQ);
}

/* An overrun interrupts too, until status and data were read. */
void uart_service(void) {
    uint32_t status = USART_SR;
    while ((status & (USART_SR_RXNE | USART_SR_ORE)) != 0u) {
        uint8_t byte = (uint8_t)USART_DR;
        if ((status & USART_SR_RXNE) != 0u) {
            uart_store(byte);
        }
        status = USART_SR;
    }
}

void uart_send(uint8_t byte) {
    while ((USART_SR & USART_SR_TXE) == 0u) {
    }
    USART_DR = byte;
}
