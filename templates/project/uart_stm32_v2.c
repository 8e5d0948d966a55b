/* The USART of the STM32 families F0, F3, F7, G0, G4, H7, L0, L4 and U5. */
#include "cpu.h"
#include "registers.h"
#include "uart.h"

#define USART_CR1 REGISTER(UART_BASE + 0x00u)
#define USART_CR2 REGISTER(UART_BASE + 0x04u)
#define USART_CR3 REGISTER(UART_BASE + 0x08u)
#define USART_BRR REGISTER(UART_BASE + 0x0Cu)
#define USART_ISR REGISTER(UART_BASE + 0x1Cu)
#define USART_RDR REGISTER(UART_BASE + 0x24u)
#define USART_TDR REGISTER(UART_BASE + 0x28u)

#define USART_CR1_UE BIT(0)
#define USART_CR1_RE BIT(2)
#define USART_CR1_TE BIT(3)
#define USART_CR1_RXNEIE BIT(5)
#define USART_CR3_OVRDIS BIT(12)
#define USART_ISR_RXNE BIT(5)
#define USART_ISR_TXE BIT(7)

#if defined(BAUD_STEPS)
#define DIVIDER(hz) ((hz) / UART_BAUD * BAUD_STEPS + (hz) % UART_BAUD * BAUD_STEPS / UART_BAUD)
#else
#define DIVIDER(hz) (((hz) + UART_BAUD / 2u) / UART_BAUD)
#endif

/* Off, to be configured: a boot loader may have used it. */
void uart_init(void) {
    USART_CR1 = 0u;
    USART_CR2 = 0u;
    USART_BRR = cpu_clock_is_set() ? DIVIDER(UART_CLOCK_HZ) : DIVIDER(FALLBACK_HZ);
    USART_CR3 = USART_CR3_OVRDIS; /* else an overrun would stop reception for good */
    USART_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    cpu_interrupt_enable(UART_IRQ);
}

void uart_service(void) {
    while ((USART_ISR & USART_ISR_RXNE) != 0u) {
        uart_store((uint8_t)USART_RDR);
    }
}

void uart_send(uint8_t byte) {
    while ((USART_ISR & USART_ISR_TXE) == 0u) {
    }
    USART_TDR = byte;
}
