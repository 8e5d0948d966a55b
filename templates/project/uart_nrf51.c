/* The UART of Nordic's nRF51, which the nRF52 has too. A FIFO holds 6 bytes; each that can be read is an event. */
#include "cpu.h"
#include "registers.h"
#include "uart.h"

#define UART_TASKS_STARTRX REGISTER(UART_BASE + 0x000u)
#define UART_TASKS_STARTTX REGISTER(UART_BASE + 0x008u)
#define UART_EVENTS_RXDRDY REGISTER(UART_BASE + 0x108u)
#define UART_EVENTS_TXDRDY REGISTER(UART_BASE + 0x11Cu)
#define UART_INTENSET REGISTER(UART_BASE + 0x304u)
#define UART_INTENCLR REGISTER(UART_BASE + 0x308u)
#define UART_ENABLE REGISTER(UART_BASE + 0x500u)
#define UART_PSELTXD REGISTER(UART_BASE + 0x50Cu)
#define UART_PSELRXD REGISTER(UART_BASE + 0x514u)
#define UART_RXD REGISTER(UART_BASE + 0x518u)
#define UART_TXD REGISTER(UART_BASE + 0x51Cu)
#define UART_BAUDRATE REGISTER(UART_BASE + 0x524u)

#define UART_INTENSET_RXDRDY BIT(2)
#if defined(FAMILY_NRF52)
#define UART_ENABLE_ENABLE FIELD(0, 4)
#else
#define UART_ENABLE_ENABLE FIELD(0, 3)
#endif

#define ENABLED 4u
#define BAUDRATE_115200 0x01D7E000u

#if UART_BAUD != 115200
#error "this driver knows how to set 115200 baud"
#endif

#if defined(UART_TX_PIN)
#define PIN(port, pin) ((port) * 32u + (pin))
#else /* an emulator has no pins */
#define PIN(port, pin) 0u
#endif

/* Off, to be configured: a boot loader may have used it. */
void uart_init(void) {
    UART_ENABLE = 0u;
    UART_PSELTXD = PIN(UART_TX_PORT, UART_TX_PIN);
    UART_PSELRXD = PIN(UART_RX_PORT, UART_RX_PIN);
    UART_BAUDRATE = BAUDRATE_115200;
    UART_ENABLE = IN_FIELD(UART_ENABLE_ENABLE, ENABLED);
    UART_INTENCLR = 0xFFFFFFFFu;
    UART_INTENSET = UART_INTENSET_RXDRDY;
    cpu_interrupt_enable(UART_IRQ);
    UART_TASKS_STARTRX = 1u;
    UART_TASKS_STARTTX = 1u;
}

/* The event first: if another byte comes in between, it is an event again. */
void uart_service(void) {
    while (UART_EVENTS_RXDRDY != 0u) {
        UART_EVENTS_RXDRDY = 0u;
        uart_store((uint8_t)UART_RXD);
    }
}

void uart_send(uint8_t byte) {
    UART_EVENTS_TXDRDY = 0u;
    UART_TXD = byte;
    while (UART_EVENTS_TXDRDY == 0u) {
    }
}
