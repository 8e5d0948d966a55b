/* STM32U5 without TrustZone: PLL 1 from the internal oscillator of 16 MHz, exact to 1 % (RM0456). */
#include "registers.h"
#include "setup.h"

#define GPIO_BASE 0x42020000u
#include "stm32_gpio.h"

#define RCC_CR REGISTER(0x46020C00u)
#define RCC_CFGR1 REGISTER(0x46020C1Cu)
#define RCC_CFGR2 REGISTER(0x46020C20u)
#define RCC_PLL1CFGR REGISTER(0x46020C28u)
#define RCC_PLL1DIVR REGISTER(0x46020C34u)
#define RCC_AHB2ENR1 REGISTER(0x46020C8Cu)
#define RCC_AHB3ENR REGISTER(0x46020C94u)
#define RCC_APB1ENR1 REGISTER(0x46020C9Cu)
#define RCC_APB2ENR REGISTER(0x46020CA4u)
#define PWR_VOSR REGISTER(0x4602080Cu)
#define FLASH_ACR REGISTER(0x40022000u)
#define ICACHE_CR REGISTER(0x40030400u)
#define ICACHE_SR REGISTER(0x40030404u)

#define RCC_CR_HSION BIT(8)
#define RCC_CR_HSIRDY BIT(10)
#define RCC_CR_PLL1ON BIT(24)
#define RCC_CR_PLL1RDY BIT(25)
#define RCC_CFGR1_SW FIELD(0, 2)
#define RCC_CFGR1_SWS FIELD(2, 2)
#define RCC_CFGR2_HPRE FIELD(0, 4)
#define RCC_CFGR2_PPRE1 FIELD(4, 3)
#define RCC_CFGR2_PPRE2 FIELD(8, 3)
#define RCC_PLL1CFGR_PLL1SRC FIELD(0, 2)
#define RCC_PLL1CFGR_PLL1RGE FIELD(2, 2)
#define RCC_PLL1CFGR_PLL1M FIELD(8, 4)
#define RCC_PLL1CFGR_PLL1MBOOST FIELD(12, 4)
#define RCC_PLL1CFGR_PLL1REN BIT(18)
#define RCC_PLL1DIVR_PLL1N FIELD(0, 9)
#define RCC_PLL1DIVR_PLL1R FIELD(24, 7)
#define RCC_AHB2ENR1_GPIOxEN(port) BIT(port)
#define RCC_AHB3ENR_PWREN BIT(2)
#define RCC_APB1ENR1_USART3EN BIT(18)
#define RCC_APB2ENR_USART1EN BIT(14)
#define PWR_VOSR_BOOSTRDY BIT(14)
#define PWR_VOSR_VOSRDY BIT(15)
#define PWR_VOSR_VOS FIELD(16, 2)
#define PWR_VOSR_BOOSTEN BIT(18)
#define FLASH_ACR_LATENCY FIELD(0, 4)
#define FLASH_ACR_PRFTEN BIT(8)
#define ICACHE_CR_EN BIT(0)
#define ICACHE_SR_BUSYF BIT(0)

#define USART1 0x40013800u
#define USART3 0x40004800u

#define PLLSRC_HSI16 2u
#define RGE_8_TO_16_MHZ 3u
#define VOS_RANGE_1 3u
#define SW_HSI16 1u
#define SW_PLL1 3u
#define HPRE_HALF 8u

static int select_clock(uint32_t source) {
    SET_FIELD(RCC_CFGR1, RCC_CFGR1_SW, source);
    return wait_for(&RCC_CFGR1, RCC_CFGR1_SWS, IN_FIELD(RCC_CFGR1_SWS, source));
}

/* First of all: at the core voltage after reset, the flash is too slow even for the internal oscillator. */
static int slow_flash(void) {
    SET_FIELD(FLASH_ACR, FLASH_ACR_LATENCY, SETUP_WAIT_STATES);
    return wait_for(&FLASH_ACR, FLASH_ACR_LATENCY, IN_FIELD(FLASH_ACR_LATENCY, SETUP_WAIT_STATES));
}

/* A boot loader may have left the PLL running, and it cannot be changed while it does. */
static int select_internal(void) {
    RCC_CR |= RCC_CR_HSION;
    (void)wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
    int is_internal = select_clock(SW_HSI16);
    SET_FIELD(RCC_CFGR2, RCC_CFGR2_HPRE, 0u);
    SET_FIELD(RCC_CFGR2, RCC_CFGR2_PPRE1, 0u);
    SET_FIELD(RCC_CFGR2, RCC_CFGR2_PPRE2, 0u);
    RCC_CR &= ~RCC_CR_PLL1ON;
    return is_internal && wait_for(&RCC_CR, RCC_CR_PLL1RDY, 0u);
}

/* The booster that the highest clocks need gets its own clock from the input of the PLL. */
static int raise_voltage(void) {
    SET_FIELD(PWR_VOSR, PWR_VOSR_VOS, VOS_RANGE_1);
    if (!wait_for(&PWR_VOSR, PWR_VOSR_VOSRDY, PWR_VOSR_VOSRDY)) {
        return 0;
    }
    RCC_PLL1CFGR = IN_FIELD(RCC_PLL1CFGR_PLL1SRC, PLLSRC_HSI16) | IN_FIELD(RCC_PLL1CFGR_PLL1RGE, RGE_8_TO_16_MHZ) |
                   IN_FIELD(RCC_PLL1CFGR_PLL1M, SETUP_M - 1) | IN_FIELD(RCC_PLL1CFGR_PLL1MBOOST, 0u) |
                   RCC_PLL1CFGR_PLL1REN;
    PWR_VOSR |= PWR_VOSR_BOOSTEN;
    return wait_for(&PWR_VOSR, PWR_VOSR_BOOSTRDY, PWR_VOSR_BOOSTRDY);
}

static int start_pll(void) {
    SET_FIELD(RCC_PLL1DIVR, RCC_PLL1DIVR_PLL1N, SETUP_N - 1);
    SET_FIELD(RCC_PLL1DIVR, RCC_PLL1DIVR_PLL1R, SETUP_R - 1);
    RCC_CR |= RCC_CR_PLL1ON;
    return wait_for(&RCC_CR, RCC_CR_PLL1RDY, RCC_CR_PLL1RDY);
}

/* Through half the clock for a microsecond, which the manual asks for above 80 MHz. */
static int select_pll(void) {
    SET_FIELD(RCC_CFGR2, RCC_CFGR2_HPRE, HPRE_HALF);
    int is_set = select_clock(SW_PLL1);
    for (volatile uint32_t i = 0u; i < 100u; i++) {
    }
    SET_FIELD(RCC_CFGR2, RCC_CFGR2_HPRE, 0u);
    if (!is_set) {
        SET_FIELD(RCC_CFGR1, RCC_CFGR1_SW, SW_HSI16);
    }
    return is_set;
}

static void enable_uart(void) {
    RCC_AHB2ENR1 |= RCC_AHB2ENR1_GPIOxEN(UART_TX_PORT) | RCC_AHB2ENR1_GPIOxEN(UART_RX_PORT);
    if (UART_BASE == USART1) {
        RCC_APB2ENR |= RCC_APB2ENR_USART1EN;
    } else if (UART_BASE == USART3) {
        RCC_APB1ENR1 |= RCC_APB1ENR1_USART3EN;
    }
    (void)RCC_AHB2ENR1; /* the clock takes two cycles to come */
    select_uart_pins();
}

/* After reset the cache invalidates itself; it may be enabled when it has done so. */
static void enable_cache(void) {
    if (wait_for(&ICACHE_SR, ICACHE_SR_BUSYF, 0u)) {
        ICACHE_CR |= ICACHE_CR_EN;
    }
    FLASH_ACR |= FLASH_ACR_PRFTEN;
}

int setup(void) {
    RCC_AHB3ENR |= RCC_AHB3ENR_PWREN;
    (void)RCC_AHB3ENR;
    enable_cache();
    int is_slow = slow_flash();
    int is_set = select_internal() && is_slow && raise_voltage() && start_pll() && select_pll();
    enable_uart();
    return is_set;
}
