/* STM32G0: the PLL from the internal oscillator of 16 MHz, which is exact to 1 % (RM0444). */
#include "registers.h"
#include "setup.h"

#define GPIO_BASE 0x50000000u
#include "stm32_gpio.h"

#define RCC_CR REGISTER(0x40021000u)
#define RCC_CFGR REGISTER(0x40021008u)
#define RCC_PLLCFGR REGISTER(0x4002100Cu)
#define RCC_IOPENR REGISTER(0x40021034u)
#define RCC_APBENR1 REGISTER(0x4002103Cu)
#define RCC_APBENR2 REGISTER(0x40021040u)
#define FLASH_ACR REGISTER(0x40022000u)

#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_CFGR_SW FIELD(0, 3)
#define RCC_CFGR_SWS FIELD(3, 3)
#define RCC_CFGR_HPRE FIELD(8, 4)
#define RCC_CFGR_PPRE FIELD(12, 3)
#define RCC_PLLCFGR_PLLSRC FIELD(0, 2)
#define RCC_PLLCFGR_PLLM FIELD(4, 3)
#define RCC_PLLCFGR_PLLN FIELD(8, 7)
#define RCC_PLLCFGR_PLLREN BIT(28)
#define RCC_PLLCFGR_PLLR FIELD(29, 3)
#define RCC_IOPENR_GPIOxEN(port) BIT(port)
#define RCC_APBENR1_USART2EN BIT(17)
#define RCC_APBENR2_USART1EN BIT(14)
#define FLASH_ACR_LATENCY FIELD(0, 3)
#define FLASH_ACR_PRFTEN BIT(8)
#define FLASH_ACR_ICEN BIT(9)

#define USART1 0x40013800u
#define USART2 0x40004400u

#define PLLSRC_HSI16 2u
#define SW_HSI 0u
#define SW_PLL 2u

#include "stm32_switch.h"

/* A boot loader may have left the PLL running, and it cannot be changed while it does. */
static int select_internal(void) {
    (void)select_clock(SW_HSI);
    SET_FIELD(RCC_CFGR, RCC_CFGR_HPRE, 0u);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE, 0u);
    RCC_CR &= ~RCC_CR_PLLON;
    return wait_for(&RCC_CR, RCC_CR_PLLRDY, 0u);
}

static int start_pll(void) {
    RCC_PLLCFGR = IN_FIELD(RCC_PLLCFGR_PLLSRC, PLLSRC_HSI16) | IN_FIELD(RCC_PLLCFGR_PLLM, SETUP_M - 1) |
                  IN_FIELD(RCC_PLLCFGR_PLLN, SETUP_N) | IN_FIELD(RCC_PLLCFGR_PLLR, SETUP_R - 1) | RCC_PLLCFGR_PLLREN;
    RCC_CR |= RCC_CR_PLLON;
    return wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
}

static int select_pll(void) {
    SET_FIELD(FLASH_ACR, FLASH_ACR_LATENCY, SETUP_WAIT_STATES);
    if (!wait_for(&FLASH_ACR, FLASH_ACR_LATENCY, IN_FIELD(FLASH_ACR_LATENCY, SETUP_WAIT_STATES))) {
        return 0;
    }
    if (select_clock(SW_PLL)) {
        return 1;
    }
    SET_FIELD(RCC_CFGR, RCC_CFGR_SW, SW_HSI);
    return 0;
}

static void enable_uart(void) {
    RCC_IOPENR |= RCC_IOPENR_GPIOxEN(UART_TX_PORT) | RCC_IOPENR_GPIOxEN(UART_RX_PORT);
    if (UART_BASE == USART1) {
        RCC_APBENR2 |= RCC_APBENR2_USART1EN;
    } else if (UART_BASE == USART2) {
        RCC_APBENR1 |= RCC_APBENR1_USART2EN;
    }
    (void)RCC_IOPENR; /* the clock takes two cycles to come */
    select_uart_pins();
}

int setup(void) {
    /* Erratum of the parts with two banks (ES0548): what is fetched ahead across their border may be wrong. */
    FLASH_ACR = (FLASH_ACR & ~FLASH_ACR_PRFTEN) | FLASH_ACR_ICEN;
    int is_set = select_internal() && start_pll() && select_pll();
    enable_uart();
    return is_set;
}
