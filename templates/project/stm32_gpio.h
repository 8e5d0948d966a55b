/* The pins of all STM32 families but F1. GPIO_BASE: the first port's address. */
#ifndef STM32_GPIO_H
#define STM32_GPIO_H

#include "registers.h"

#define GPIOx_MODER(port) REGISTER(GPIO_BASE + 0x400u * (port) + 0x00u)
#define GPIOx_OSPEEDR(port) REGISTER(GPIO_BASE + 0x400u * (port) + 0x08u)
#define GPIOx_PUPDR(port) REGISTER(GPIO_BASE + 0x400u * (port) + 0x0Cu)
#define GPIOx_AFRL(port) REGISTER(GPIO_BASE + 0x400u * (port) + 0x20u)
#define GPIOx_AFRH(port) REGISTER(GPIO_BASE + 0x400u * (port) + 0x24u)

#define GPIOx_MODER_MODERn(pin) FIELD(2u * (pin), 2u)
#define GPIOx_OSPEEDR_OSPEEDRn(pin) FIELD(2u * (pin), 2u)
#define GPIOx_PUPDR_PUPDRn(pin) FIELD(2u * (pin), 2u)
#define GPIOx_AFRL_AFRLn(pin) FIELD(4u * ((pin) % 8u), 4u)
#define GPIOx_AFRH_AFRHn(pin) FIELD(4u * ((pin) % 8u), 4u)

#define MODE_ALTERNATE 2u
#define SPEED_MEDIUM 1u
#define PULL_UP 1u

/* Pulled up, so that a line with nothing at its end is idle. */
static inline void select_function(uint32_t port, uint32_t pin, uint32_t function) {
    SET_FIELD(GPIOx_PUPDR(port), GPIOx_PUPDR_PUPDRn(pin), PULL_UP);
    SET_FIELD(GPIOx_OSPEEDR(port), GPIOx_OSPEEDR_OSPEEDRn(pin), SPEED_MEDIUM);
    if (pin < 8u) {
        SET_FIELD(GPIOx_AFRL(port), GPIOx_AFRL_AFRLn(pin), function);
    } else {
        SET_FIELD(GPIOx_AFRH(port), GPIOx_AFRH_AFRHn(pin), function);
    }
    SET_FIELD(GPIOx_MODER(port), GPIOx_MODER_MODERn(pin), MODE_ALTERNATE);
}

static inline void select_uart_pins(void) {
    select_function(UART_TX_PORT, UART_TX_PIN, UART_ALTERNATE);
    select_function(UART_RX_PORT, UART_RX_PIN, UART_ALTERNATE);
}

/* The code of a divider of a peripheral bus: 1, 2, 4, 8, 16. */
#define BUS_CODE(divider) ((divider) == 1 ? 0u : (divider) == 2 ? 4u : (divider) == 4 ? 5u : (divider) == 8 ? 6u : 7u)

#endif
