/* STM32L4, L4+ and G4: the PLL from the internal oscillator of 16 MHz, exact to 1 % (RM0351, RM0432, RM0440). */
#include "registers.h"
#include "setup.h"

#define GPIO_BASE 0x48000000u
#include "stm32_gpio.h"

#define RCC_CR REGISTER(0x40021000u)
#define RCC_CFGR REGISTER(0x40021008u)
#define RCC_PLLCFGR REGISTER(0x4002100Cu)
#define RCC_AHB2ENR REGISTER(0x4002104Cu)
#define RCC_APB1ENR1 REGISTER(0x40021058u)
#define RCC_APB1ENR2 REGISTER(0x4002105Cu)
#define RCC_APB2ENR REGISTER(0x40021060u)
#define PWR_CR5 REGISTER(0x40007080u)
#define FLASH_ACR REGISTER(0x40022000u)

#define RCC_CR_HSION BIT(8)
#define RCC_CR_HSIRDY BIT(10)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_CFGR_SW FIELD(0, 2)
#define RCC_CFGR_SWS FIELD(2, 2)
#define RCC_CFGR_HPRE FIELD(4, 4)
#define RCC_CFGR_PPRE1 FIELD(8, 3)
#define RCC_CFGR_PPRE2 FIELD(11, 3)
#define RCC_PLLCFGR_PLLSRC FIELD(0, 2)
#define RCC_PLLCFGR_PLLM FIELD(4, 4)
#define RCC_PLLCFGR_PLLN FIELD(8, 7)
#define RCC_PLLCFGR_PLLREN BIT(24)
#define RCC_PLLCFGR_PLLR FIELD(25, 2)
#define RCC_AHB2ENR_GPIOxEN(port) BIT(port)
#define RCC_APB1ENR1_USART2EN BIT(17)
#define RCC_APB1ENR1_USART3EN BIT(18)
#define RCC_APB1ENR1_PWREN BIT(28)
#define RCC_APB1ENR2_LPUART1EN BIT(0)
#define RCC_APB2ENR_USART1EN BIT(14)
#define PWR_CR5_R1MODE BIT(8)
#define FLASH_ACR_LATENCY FIELD(0, 4)
#define FLASH_ACR_PRFTEN BIT(8)
#define FLASH_ACR_ICEN BIT(9)
#define FLASH_ACR_DCEN BIT(10)
#if defined(FAMILY_STM32L4) /* there, port G has a supply of its own, which has to be declared present */
#define PWR_CR2 REGISTER(0x40007004u)
#define PWR_CR2_IOSV BIT(9)
#endif

#define LPUART1 0x40008000u
#define USART1 0x40013800u
#define USART2 0x40004400u
#define USART3 0x40004800u

#define PLLSRC_HSI16 2u
#define SW_HSI16 1u
#define SW_PLL 3u
#define HPRE_HALF 8u

#include "stm32_switch.h"

/* An L4 starts with another oscillator; a boot loader may have left the PLL running. */
static int select_internal(void) {
    RCC_CR |= RCC_CR_HSION;
    (void)wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
    int is_internal = select_clock(SW_HSI16);
    SET_FIELD(RCC_CFGR, RCC_CFGR_HPRE, 0u);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE1, 0u);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE2, 0u);
    RCC_CR &= ~RCC_CR_PLLON;
    return is_internal && wait_for(&RCC_CR, RCC_CR_PLLRDY, 0u);
}

static int start_pll(void) {
    RCC_PLLCFGR = IN_FIELD(RCC_PLLCFGR_PLLSRC, PLLSRC_HSI16) | IN_FIELD(RCC_PLLCFGR_PLLM, SETUP_M - 1) |
                  IN_FIELD(RCC_PLLCFGR_PLLN, SETUP_N) | IN_FIELD(RCC_PLLCFGR_PLLR, SETUP_R / 2 - 1) |
                  RCC_PLLCFGR_PLLREN;
    RCC_CR |= RCC_CR_PLLON;
    return wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
}

/* Through half the clock for a microsecond, which the manuals ask for above 80 MHz. */
static int select_pll(void) {
    SET_FIELD(FLASH_ACR, FLASH_ACR_LATENCY, SETUP_WAIT_STATES);
    if (!wait_for(&FLASH_ACR, FLASH_ACR_LATENCY, IN_FIELD(FLASH_ACR_LATENCY, SETUP_WAIT_STATES))) {
        return 0;
    }
    SET_FIELD(RCC_CFGR, RCC_CFGR_HPRE, HPRE_HALF);
    int is_set = select_clock(SW_PLL);
    for (volatile uint32_t i = 0u; i < 100u; i++) {
    }
    SET_FIELD(RCC_CFGR, RCC_CFGR_HPRE, 0u);
    if (!is_set) {
        SET_FIELD(RCC_CFGR, RCC_CFGR_SW, SW_HSI16);
    }
    return is_set;
}

static void enable_uart(void) {
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOxEN(UART_TX_PORT) | RCC_AHB2ENR_GPIOxEN(UART_RX_PORT);
    if (UART_BASE == LPUART1) {
        RCC_APB1ENR2 |= RCC_APB1ENR2_LPUART1EN;
    } else if (UART_BASE == USART1) {
        RCC_APB2ENR |= RCC_APB2ENR_USART1EN;
    } else if (UART_BASE == USART2) {
        RCC_APB1ENR1 |= RCC_APB1ENR1_USART2EN;
    } else if (UART_BASE == USART3) {
        RCC_APB1ENR1 |= RCC_APB1ENR1_USART3EN;
    }
    (void)RCC_AHB2ENR; /* the clock takes two cycles to come */
    select_uart_pins();
}

int setup(void) {
    RCC_APB1ENR1 |= RCC_APB1ENR1_PWREN;
    (void)RCC_APB1ENR1;
#if defined(FAMILY_STM32L4)
    PWR_CR2 |= PWR_CR2_IOSV;
#endif
    PWR_CR5 &= ~PWR_CR5_R1MODE; /* boost: the highest clocks need a higher core voltage */
    FLASH_ACR |= FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    int is_set = select_internal() && start_pll() && select_pll();
    enable_uart();
    return is_set;
}
