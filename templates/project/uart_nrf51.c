/* The UART of Nordic's nRF51 (and the legacy UART of the nRF52). */
#include "cpu.h"
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(UART_BASE + (offset)))
#define START_RX REGISTER(0x000u)
#define START_TX REGISTER(0x008u)
#define RX_READY REGISTER(0x108u)
#define TX_READY REGISTER(0x11Cu)
#define INTENSET REGISTER(0x304u)
#define ENABLE REGISTER(0x500u)
#define PIN_TX REGISTER(0x50Cu)
#define PIN_RX REGISTER(0x514u)
#define RX_DATA REGISTER(0x518u)
#define TX_DATA REGISTER(0x51Cu)
#define BAUDRATE REGISTER(0x524u)

#define GPIO_OUTSET (*(volatile uint32_t *)0x50000508u)
#define GPIO_DIRSET (*(volatile uint32_t *)0x50000518u)

#define TX_GPIO 24u /* the micro:bit's USB interface */
#define RX_GPIO 25u
#define INT_RX_READY 4u
#define ENABLE_UART 4u
#define BAUDRATE_115200 0x01D7E000u

void uart_init(void) {
    GPIO_OUTSET = 1u << TX_GPIO; /* the idle level */
    GPIO_DIRSET = 1u << TX_GPIO;
    PIN_TX = TX_GPIO;
    PIN_RX = RX_GPIO;
    BAUDRATE = BAUDRATE_115200;
    ENABLE = ENABLE_UART;
    INTENSET = INT_RX_READY;
    cpu_interrupt_enable(UART_IRQ);
    START_RX = 1u;
    START_TX = 1u;
}

int uart_receive(void) {
    if (RX_READY == 0u) {
        return -1;
    }
    RX_READY = 0u;
    return (int)(RX_DATA & 0xFFu);
}

void uart_wait(void) { cpu_interrupt_wait(UART_IRQ); }

void uart_send(uint8_t byte) {
    TX_READY = 0u;
    TX_DATA = byte;
    while (TX_READY == 0u) {
    }
}
