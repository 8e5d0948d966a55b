/* STM32F1: the PLL from the crystal or half the internal oscillator of 8 MHz (RM0008, RM0041). */
#include "registers.h"
#include "setup.h"

#define RCC_CR REGISTER(0x40021000u)
#define RCC_CFGR REGISTER(0x40021004u)
#define RCC_APB2ENR REGISTER(0x40021018u)
#define RCC_APB1ENR REGISTER(0x4002101Cu)
#define GPIOx_CRL(port) REGISTER(0x40010800u + 0x400u * (port) + 0x00u)
#define GPIOx_CRH(port) REGISTER(0x40010800u + 0x400u * (port) + 0x04u)
#define GPIOx_BSRR(port) REGISTER(0x40010800u + 0x400u * (port) + 0x10u)

#define RCC_CR_HSION BIT(0)
#define RCC_CR_HSIRDY BIT(1)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_CFGR_SW FIELD(0, 2)
#define RCC_CFGR_SWS FIELD(2, 2)
#define RCC_CFGR_HPRE FIELD(4, 4)
#define RCC_CFGR_PPRE1 FIELD(8, 3)
#define RCC_CFGR_PPRE2 FIELD(11, 3)
#define RCC_CFGR_PLLSRC BIT(16)
#define RCC_CFGR_PLLXTPRE BIT(17)
#define RCC_CFGR_PLLMUL FIELD(18, 4)
#define RCC_APB2ENR_AFIOEN BIT(0)
#define RCC_APB2ENR_IOPxEN(port) BIT(2u + (port))
#define RCC_APB2ENR_USART1EN BIT(14)
#define RCC_APB1ENR_USART2EN BIT(17)
#define RCC_APB1ENR_USART3EN BIT(18)
#if SETUP_WAIT_STATES > 0 /* the slowest parts have none, and no register for them */
#define FLASH_ACR REGISTER(0x40022000u)
#define FLASH_ACR_LATENCY FIELD(0, 3)
#define FLASH_ACR_PRFTBE BIT(4)
#endif

/* Mode and configuration of a pin, in four bits. */
#define PIN_FIELD(pin) FIELD(4u * ((pin) % 8u), 4u)
#define OUTPUT_ALTERNATE 0x9u /* push-pull, 10 MHz */
#define INPUT_PULLED 0x8u

#define USART1 0x40013800u
#define USART2 0x40004400u
#define USART3 0x40004800u

#define SW_HSI 0u
#define SW_PLL 2u

/* The code of a divider of a peripheral bus: 1, 2, 4, 8, 16. */
#define BUS_CODE(divider) ((divider) == 1 ? 0u : (divider) == 2 ? 4u : (divider) == 4 ? 5u : (divider) == 8 ? 6u : 7u)

#include "stm32_oscillator.h"
#include "stm32_switch.h"

/* A boot loader may have left the PLL running, and it cannot be changed while it does. */
static int select_internal(void) {
    RCC_CR |= RCC_CR_HSION;
    (void)wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
    (void)select_clock(SW_HSI);
    SET_FIELD(RCC_CFGR, RCC_CFGR_HPRE, 0u);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE1, 0u);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE2, 0u);
    RCC_CR &= ~RCC_CR_PLLON;
    return wait_for(&RCC_CR, RCC_CR_PLLRDY, 0u);
}

static int start_pll(void) {
    SET_FIELD(RCC_CFGR, RCC_CFGR_PLLSRC, SETUP_OSCILLATOR != OSCILLATOR_INTERNAL);
    RCC_CFGR &= ~RCC_CFGR_PLLXTPRE; /* the crystal's clock undivided */
    SET_FIELD(RCC_CFGR, RCC_CFGR_PLLMUL, SETUP_MULTIPLIER - 2);
    RCC_CR |= RCC_CR_PLLON;
    return wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
}

static int select_pll(void) {
#if SETUP_WAIT_STATES > 0
    FLASH_ACR |= FLASH_ACR_PRFTBE;
    SET_FIELD(FLASH_ACR, FLASH_ACR_LATENCY, SETUP_WAIT_STATES);
#endif
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE1, BUS_CODE(SETUP_APB1_DIVIDER));
    if (select_clock(SW_PLL)) {
        return 1;
    }
    SET_FIELD(RCC_CFGR, RCC_CFGR_SW, SW_HSI);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE1, 0u);
    return 0;
}

static void configure(uint32_t port, uint32_t pin, uint32_t configuration) {
    if (pin < 8u) {
        SET_FIELD(GPIOx_CRL(port), PIN_FIELD(pin), configuration);
    } else {
        SET_FIELD(GPIOx_CRH(port), PIN_FIELD(pin), configuration);
    }
}

/* The receiving pin is pulled up, so that a line with nothing at its end is idle. */
static void enable_uart(void) {
    RCC_APB2ENR |= RCC_APB2ENR_AFIOEN | RCC_APB2ENR_IOPxEN(UART_TX_PORT) | RCC_APB2ENR_IOPxEN(UART_RX_PORT);
    if (UART_BASE == USART1) {
        RCC_APB2ENR |= RCC_APB2ENR_USART1EN;
    } else if (UART_BASE == USART2) {
        RCC_APB1ENR |= RCC_APB1ENR_USART2EN;
    } else if (UART_BASE == USART3) {
        RCC_APB1ENR |= RCC_APB1ENR_USART3EN;
    }
    GPIOx_BSRR(UART_RX_PORT) = 1u << UART_RX_PIN;
    configure(UART_TX_PORT, UART_TX_PIN, OUTPUT_ALTERNATE);
    configure(UART_RX_PORT, UART_RX_PIN, INPUT_PULLED);
}

int setup(void) {
    int is_set = select_internal() && start_oscillator() && start_pll() && select_pll();
    enable_uart();
    return is_set;
}
