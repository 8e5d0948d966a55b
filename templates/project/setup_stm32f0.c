/* STM32F0: the PLL from the external clock or half the internal oscillator of 8 MHz (RM0091). */
#include "registers.h"
#include "setup.h"

#define GPIO_BASE 0x48000000u
#include "stm32_gpio.h"

#define RCC_CR REGISTER(0x40021000u)
#define RCC_CFGR REGISTER(0x40021004u)
#define RCC_AHBENR REGISTER(0x40021014u)
#define RCC_APB2ENR REGISTER(0x40021018u)
#define RCC_APB1ENR REGISTER(0x4002101Cu)
#define RCC_CFGR2 REGISTER(0x4002102Cu)
#define FLASH_ACR REGISTER(0x40022000u)
#define SYSCFG_CFGR1 REGISTER(0x40010000u)

#define RCC_CR_HSION BIT(0)
#define RCC_CR_HSIRDY BIT(1)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_CFGR_SW FIELD(0, 2)
#define RCC_CFGR_SWS FIELD(2, 2)
#define RCC_CFGR_HPRE FIELD(4, 4)
#define RCC_CFGR_PPRE FIELD(8, 3)
#define RCC_CFGR_PLLSRC FIELD(15, 2)
#define RCC_CFGR_PLLMUL FIELD(18, 4)
#define RCC_CFGR2_PREDIV FIELD(0, 4)
#define RCC_AHBENR_IOPxEN(port) BIT(17u + (port))
#define RCC_APB1ENR_USART2EN BIT(17)
#define RCC_APB2ENR_SYSCFGEN BIT(0)
#define RCC_APB2ENR_USART1EN BIT(14)
#define SYSCFG_CFGR1_MEM_MODE FIELD(0, 2)
#define FLASH_ACR_LATENCY FIELD(0, 3)
#define FLASH_ACR_PRFTBE BIT(4)

#define USART1 0x40013800u
#define USART2 0x40004400u

#define PLLSRC_HALF_HSI 0u
#define PLLSRC_HSE 2u
#define SW_HSI 0u
#define SW_PLL 2u

#include "stm32_oscillator.h"
#include "stm32_switch.h"

/* A boot loader may have left the PLL running, and it cannot be changed while it does. */
static int select_internal(void) {
    RCC_CR |= RCC_CR_HSION;
    (void)wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
    (void)select_clock(SW_HSI);
    SET_FIELD(RCC_CFGR, RCC_CFGR_HPRE, 0u);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE, 0u);
    RCC_CR &= ~RCC_CR_PLLON;
    return wait_for(&RCC_CR, RCC_CR_PLLRDY, 0u);
}

static int start_pll(void) {
    const uint32_t source = SETUP_OSCILLATOR == OSCILLATOR_INTERNAL ? PLLSRC_HALF_HSI : PLLSRC_HSE;
    SET_FIELD(RCC_CFGR, RCC_CFGR_PLLSRC, source);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PLLMUL, SETUP_MULTIPLIER - 2);
    SET_FIELD(RCC_CFGR2, RCC_CFGR2_PREDIV, 0u);
    RCC_CR |= RCC_CR_PLLON;
    return wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
}

static int select_pll(void) {
    FLASH_ACR |= FLASH_ACR_PRFTBE;
    SET_FIELD(FLASH_ACR, FLASH_ACR_LATENCY, SETUP_WAIT_STATES);
    if (select_clock(SW_PLL)) {
        return 1;
    }
    SET_FIELD(RCC_CFGR, RCC_CFGR_SW, SW_HSI);
    return 0;
}

static void enable_uart(void) {
    RCC_AHBENR |= RCC_AHBENR_IOPxEN(UART_TX_PORT) | RCC_AHBENR_IOPxEN(UART_RX_PORT);
    if (UART_BASE == USART1) {
        RCC_APB2ENR |= RCC_APB2ENR_USART1EN;
    } else if (UART_BASE == USART2) {
        RCC_APB1ENR |= RCC_APB1ENR_USART2EN;
    }
    (void)RCC_AHBENR; /* the clock takes two cycles to come */
    select_uart_pins();
}

int setup(void) {
    /* The vectors are read at address 0, where a boot loader in the chip's own memory leaves its own. */
    RCC_APB2ENR |= RCC_APB2ENR_SYSCFGEN;
    (void)RCC_APB2ENR;
    SYSCFG_CFGR1 &= ~SYSCFG_CFGR1_MEM_MODE;
    int is_set = select_internal() && start_oscillator() && start_pll() && select_pll();
    enable_uart();
    return is_set;
}
