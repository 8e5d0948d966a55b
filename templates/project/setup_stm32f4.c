/* STM32F4 and F7: the main PLL from the external clock or the internal oscillator (RM0090, RM0390, RM0410). */
#include "registers.h"
#include "setup.h"

#define GPIO_BASE 0x40020000u
#include "stm32_gpio.h"
#if defined(FAMILY_STM32F7)
#include "caches.h"
#include "mpu.h"
#endif

#define RCC_CR REGISTER(0x40023800u)
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_CFGR REGISTER(0x40023808u)
#define RCC_AHB1ENR REGISTER(0x40023830u)
#define RCC_APB1ENR REGISTER(0x40023840u)
#define RCC_APB2ENR REGISTER(0x40023844u)
#define PWR_CR REGISTER(0x40007000u)
#define PWR_CSR REGISTER(0x40007004u)
#define FLASH_ACR REGISTER(0x40023C00u)

#define RCC_CR_HSION BIT(0)
#define RCC_CR_HSIRDY BIT(1)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_PLLCFGR_PLLM FIELD(0, 6)
#define RCC_PLLCFGR_PLLN FIELD(6, 9)
#define RCC_PLLCFGR_PLLP FIELD(16, 2)
#define RCC_PLLCFGR_PLLSRC BIT(22)
#define RCC_CFGR_SW FIELD(0, 2)
#define RCC_CFGR_SWS FIELD(2, 2)
#define RCC_CFGR_HPRE FIELD(4, 4)
#define RCC_CFGR_PPRE1 FIELD(10, 3)
#define RCC_CFGR_PPRE2 FIELD(13, 3)
#define RCC_AHB1ENR_GPIOxEN(port) BIT(port)
#define RCC_APB1ENR_USART2EN BIT(17)
#define RCC_APB1ENR_USART3EN BIT(18)
#define RCC_APB1ENR_PWREN BIT(28)
#define RCC_APB2ENR_USART1EN BIT(4)
#define RCC_APB2ENR_USART6EN BIT(5)
#if SETUP_OVERDRIVE
#define PWR_CR_ODEN BIT(16)
#define PWR_CR_ODSWEN BIT(17)
#define PWR_CSR_ODRDY BIT(16)
#define PWR_CSR_ODSWRDY BIT(17)
#endif
#if defined(FAMILY_STM32F7)
#define FLASH_ACR_LATENCY FIELD(0, 4)
#define FLASH_ACR_ARTEN BIT(9)
#define FLASH_ACR_ACCELERATION (FLASH_ACR_PRFTEN | FLASH_ACR_ARTEN)
#else
#define FLASH_ACR_LATENCY FIELD(0, 3) /* the largest latency in use is 5 */
#define FLASH_ACR_ICEN BIT(9)
#define FLASH_ACR_DCEN BIT(10)
#define FLASH_ACR_ACCELERATION (FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN)
#endif
#define FLASH_ACR_PRFTEN BIT(8)
#define DBGMCU_IDCODE REGISTER(0xE0042000u)
#define DBGMCU_IDCODE_DEV_ID FIELD(0, 12)
#define REVISION_A 0x411u

#define USART1 0x40011000u
#define USART2 0x40004400u
#define USART3 0x40004800u
#define USART6 0x40011400u

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
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE1, 0u);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE2, 0u);
    RCC_CR &= ~RCC_CR_PLLON;
    return wait_for(&RCC_CR, RCC_CR_PLLRDY, 0u);
}

static int start_pll(void) {
    SET_FIELD(RCC_PLLCFGR, RCC_PLLCFGR_PLLSRC, SETUP_OSCILLATOR != OSCILLATOR_INTERNAL);
    SET_FIELD(RCC_PLLCFGR, RCC_PLLCFGR_PLLM, SETUP_M);
    SET_FIELD(RCC_PLLCFGR, RCC_PLLCFGR_PLLN, SETUP_N);
    SET_FIELD(RCC_PLLCFGR, RCC_PLLCFGR_PLLP, SETUP_P / 2 - 1);
    RCC_CR |= RCC_CR_PLLON;
    return wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
}

/* The highest clocks need a higher core voltage. */
static int overdrive(void) {
#if SETUP_OVERDRIVE
    PWR_CR |= PWR_CR_ODEN;
    if (!wait_for(&PWR_CSR, PWR_CSR_ODRDY, PWR_CSR_ODRDY)) {
        return 0;
    }
    PWR_CR |= PWR_CR_ODSWEN;
    return wait_for(&PWR_CSR, PWR_CSR_ODSWRDY, PWR_CSR_ODSWRDY);
#else
    return 1;
#endif
}

static int select_pll(void) {
    SET_FIELD(FLASH_ACR, FLASH_ACR_LATENCY, SETUP_WAIT_STATES);
    if (!wait_for(&FLASH_ACR, FLASH_ACR_LATENCY, IN_FIELD(FLASH_ACR_LATENCY, SETUP_WAIT_STATES))) {
        return 0;
    }
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE1, BUS_CODE(SETUP_APB1_DIVIDER));
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE2, BUS_CODE(SETUP_APB2_DIVIDER));
    if (select_clock(SW_PLL)) {
        return 1;
    }
    SET_FIELD(RCC_CFGR, RCC_CFGR_SW, SW_HSI);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE1, 0u);
    SET_FIELD(RCC_CFGR, RCC_CFGR_PPRE2, 0u);
    return 0;
}

static void enable_uart(void) {
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOxEN(UART_TX_PORT) | RCC_AHB1ENR_GPIOxEN(UART_RX_PORT);
    if (UART_BASE == USART1) {
        RCC_APB2ENR |= RCC_APB2ENR_USART1EN;
    } else if (UART_BASE == USART6) {
        RCC_APB2ENR |= RCC_APB2ENR_USART6EN;
    } else if (UART_BASE == USART2) {
        RCC_APB1ENR |= RCC_APB1ENR_USART2EN;
    } else if (UART_BASE == USART3) {
        RCC_APB1ENR |= RCC_APB1ENR_USART3EN;
    }
    (void)RCC_AHB1ENR; /* the clock takes two cycles to come */
    select_uart_pins();
}

/* In the first revision of the STM32F405 and F407, which says to be another part, reading ahead returns wrong bytes. */
static uint32_t acceleration(void) {
#if defined(FAMILY_STM32F4)
    if ((DBGMCU_IDCODE & DBGMCU_IDCODE_DEV_ID) == REVISION_A) {
        return FLASH_ACR_ACCELERATION & ~FLASH_ACR_PRFTEN;
    }
#endif
    return FLASH_ACR_ACCELERATION;
}

int setup(void) {
#if defined(FAMILY_STM32F7)
    forbid_external_memory();
    enable_caches();
#endif
    RCC_APB1ENR |= RCC_APB1ENR_PWREN;
    FLASH_ACR |= acceleration();
    int is_set = select_internal() && start_oscillator() && start_pll() && overdrive() && select_pll();
    enable_uart();
    return is_set;
}
