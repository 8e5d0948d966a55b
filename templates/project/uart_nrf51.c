/* The UART of Nordic's nRF51 (and the legacy UART of the nRF52). */
#include "uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(UART_BASE + (offset)))
#define START_RX REGISTER(0x000u)
#define START_TX REGISTER(0x008u)
#define RX_READY REGISTER(0x108u)
#define TX_READY REGISTER(0x11Cu)
#define ENABLE REGISTER(0x500u)
#define PIN_TX REGISTER(0x50Cu)
#define PIN_RX REGISTER(0x514u)
#define RX_DATA REGISTER(0x518u)
#define TX_DATA REGISTER(0x51Cu)
#define BAUDRATE REGISTER(0x524u)

#define ENABLE_UART 4u
#define BAUDRATE_115200 0x01D7E000u

void uart_init(void) {
    PIN_TX = 24u; /* the micro:bit's USB interface */
    PIN_RX = 25u;
    BAUDRATE = BAUDRATE_115200;
    ENABLE = ENABLE_UART;
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

void uart_send(uint8_t byte) {
    TX_READY = 0u;
    TX_DATA = byte;
    while (TX_READY == 0u) {
    }
}
