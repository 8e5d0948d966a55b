/* STM32H742 to H753, on the LDO, at a core voltage that every revision of the chips has: 400 MHz (RM0433). */
#include "caches.h"
#include "mpu.h"
#include "registers.h"
#include "setup.h"

#define GPIO_BASE 0x58020000u
#include "stm32_gpio.h"

#define RCC_CR REGISTER(0x58024400u)
#define RCC_CFGR REGISTER(0x58024410u)
#define RCC_D1CFGR REGISTER(0x58024418u)
#define RCC_D2CFGR REGISTER(0x5802441Cu)
#define RCC_D3CFGR REGISTER(0x58024420u)
#define RCC_PLLCKSELR REGISTER(0x58024428u)
#define RCC_PLLCFGR REGISTER(0x5802442Cu)
#define RCC_PLL1DIVR REGISTER(0x58024430u)
#define RCC_AHB2ENR REGISTER(0x580244DCu)
#define RCC_AHB4ENR REGISTER(0x580244E0u)
#define RCC_APB1LENR REGISTER(0x580244E8u)
#define RCC_APB2ENR REGISTER(0x580244F0u)
#define PWR_CSR1 REGISTER(0x58024804u)
#define PWR_CR3 REGISTER(0x5802480Cu)
#define PWR_D3CR REGISTER(0x58024818u)
#define FLASH_ACR REGISTER(0x52002000u)
#define DBGMCU_IDC REGISTER(0x5C001000u)
#define AXI_TARG7_FN_MOD REGISTER(0x51008108u)

#define RCC_CR_HSION BIT(0)
#define RCC_CR_HSIRDY BIT(2)
#define RCC_CR_HSIDIV FIELD(3, 2)
#define RCC_CR_PLL1ON BIT(24)
#define RCC_CR_PLL1RDY BIT(25)
#define RCC_CFGR_SW FIELD(0, 3)
#define RCC_CFGR_SWS FIELD(3, 3)
#define RCC_D1CFGR_HPRE FIELD(0, 4)
#define RCC_D1CFGR_D1PPRE FIELD(4, 3)
#define RCC_D1CFGR_D1CPRE FIELD(8, 4)
#define RCC_D2CFGR_D2PPRE1 FIELD(4, 3)
#define RCC_D2CFGR_D2PPRE2 FIELD(8, 3)
#define RCC_D3CFGR_D3PPRE FIELD(4, 3)
#define RCC_PLLCKSELR_PLLSRC FIELD(0, 2)
#define RCC_PLLCKSELR_DIVM1 FIELD(4, 6)
#define RCC_PLLCFGR_PLL1VCOSEL BIT(1)
#define RCC_PLLCFGR_PLL1RGE FIELD(2, 2)
#define RCC_PLLCFGR_DIVP1EN BIT(16)
#define RCC_PLL1DIVR_DIVN1 FIELD(0, 9)
#define RCC_PLL1DIVR_DIVP1 FIELD(9, 7)
#define RCC_AHB2ENR_SRAM1EN BIT(29)
#define RCC_AHB2ENR_SRAM2EN BIT(30)
#define RCC_AHB2ENR_SRAM3EN BIT(31)
#define RCC_AHB4ENR_GPIOxEN(port) BIT(port)
#define RCC_APB1LENR_USART2EN BIT(17)
#define RCC_APB1LENR_USART3EN BIT(18)
#define RCC_APB2ENR_USART1EN BIT(4)
#define PWR_CSR1_ACTVOSRDY BIT(13)
#define PWR_CR3_BYPASS BIT(0)
#define PWR_CR3_LDOEN BIT(1)
#define PWR_CR3_SCUEN BIT(2)
#define PWR_D3CR_VOSRDY BIT(13)
#define PWR_D3CR_VOS FIELD(14, 2)
#define FLASH_ACR_LATENCY FIELD(0, 4)
#define FLASH_ACR_WRHIGHFREQ FIELD(4, 2)
#define DBGMCU_IDC_REV_ID FIELD(16, 16)
#define AXI_TARG7_FN_MOD_READ_ISS_OVERRIDE BIT(0)

#define USART1 0x40011000u
#define USART2 0x40004400u
#define USART3 0x40004800u

#define REVISION_V 0x2003u
#define PLLSRC_HSI 0u
#define PLLSRC_HSE 2u
#define RGE_2_TO_4_MHZ 1u
#define VOS_SCALE_1 3u
#define SW_HSI 0u
#define SW_PLL1 3u
#define HPRE_HALF 8u
#define PPRE_HALF 4u

/* Which supply is in use must be said before the voltage can be changed. */
static int raise_voltage(void) {
    PWR_CR3 = (PWR_CR3 & ~(PWR_CR3_BYPASS | PWR_CR3_SCUEN)) | PWR_CR3_LDOEN;
    if (!wait_for(&PWR_CSR1, PWR_CSR1_ACTVOSRDY, PWR_CSR1_ACTVOSRDY)) {
        return 0;
    }
    SET_FIELD(PWR_D3CR, PWR_D3CR_VOS, VOS_SCALE_1);
    return wait_for(&PWR_D3CR, PWR_D3CR_VOSRDY, PWR_D3CR_VOSRDY);
}

/* The buses run at half the processor's clock, the peripherals at a quarter. */
static void divide_buses(uint32_t hpre, uint32_t ppre) {
    SET_FIELD(RCC_D1CFGR, RCC_D1CFGR_HPRE, hpre);
    SET_FIELD(RCC_D1CFGR, RCC_D1CFGR_D1PPRE, ppre);
    SET_FIELD(RCC_D2CFGR, RCC_D2CFGR_D2PPRE1, ppre);
    SET_FIELD(RCC_D2CFGR, RCC_D2CFGR_D2PPRE2, ppre);
    SET_FIELD(RCC_D3CFGR, RCC_D3CFGR_D3PPRE, ppre);
}

#include "stm32_oscillator.h"
#include "stm32_switch.h"

/* A boot loader may have left the PLL running, and it cannot be changed while it does. */
static int select_internal(void) {
    RCC_CR |= RCC_CR_HSION;
    (void)wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
    (void)select_clock(SW_HSI);
    SET_FIELD(RCC_CR, RCC_CR_HSIDIV, 0u);
    SET_FIELD(RCC_D1CFGR, RCC_D1CFGR_D1CPRE, 0u);
    divide_buses(0u, 0u);
    RCC_CR &= ~RCC_CR_PLL1ON;
    return wait_for(&RCC_CR, RCC_CR_PLL1RDY, 0u);
}

static int start_pll(void) {
    const uint32_t source = SETUP_OSCILLATOR == OSCILLATOR_INTERNAL ? PLLSRC_HSI : PLLSRC_HSE;
    SET_FIELD(RCC_PLLCKSELR, RCC_PLLCKSELR_PLLSRC, source);
    SET_FIELD(RCC_PLLCKSELR, RCC_PLLCKSELR_DIVM1, SETUP_M);
    SET_FIELD(RCC_PLLCFGR, RCC_PLLCFGR_PLL1RGE, RGE_2_TO_4_MHZ);
    RCC_PLLCFGR = (RCC_PLLCFGR & ~RCC_PLLCFGR_PLL1VCOSEL) | RCC_PLLCFGR_DIVP1EN;
    SET_FIELD(RCC_PLL1DIVR, RCC_PLL1DIVR_DIVN1, SETUP_N - 1);
    SET_FIELD(RCC_PLL1DIVR, RCC_PLL1DIVR_DIVP1, SETUP_P - 1);
    RCC_CR |= RCC_CR_PLL1ON;
    return wait_for(&RCC_CR, RCC_CR_PLL1RDY, RCC_CR_PLL1RDY);
}

static int select_pll(void) {
    FLASH_ACR = IN_FIELD(FLASH_ACR_LATENCY, SETUP_WAIT_STATES) | IN_FIELD(FLASH_ACR_WRHIGHFREQ, 2u);
    if (!wait_for(&FLASH_ACR, FLASH_ACR_LATENCY, IN_FIELD(FLASH_ACR_LATENCY, SETUP_WAIT_STATES))) {
        return 0;
    }
    divide_buses(HPRE_HALF, PPRE_HALF);
    if (select_clock(SW_PLL1)) {
        return 1;
    }
    SET_FIELD(RCC_CFGR, RCC_CFGR_SW, SW_HSI);
    divide_buses(0u, 0u);
    return 0;
}

static void enable_uart(void) {
    RCC_AHB4ENR |= RCC_AHB4ENR_GPIOxEN(UART_TX_PORT) | RCC_AHB4ENR_GPIOxEN(UART_RX_PORT);
    if (UART_BASE == USART1) {
        RCC_APB2ENR |= RCC_APB2ENR_USART1EN;
    } else if (UART_BASE == USART2) {
        RCC_APB1LENR |= RCC_APB1LENR_USART2EN;
    } else if (UART_BASE == USART3) {
        RCC_APB1LENR |= RCC_APB1LENR_USART3EN;
    }
    (void)RCC_AHB4ENR; /* the clock takes two cycles to come */
    select_uart_pins();
}

int setup(void) {
    /* Erratum of revision Y: reads of AXI SRAM may fail unless they are issued one by one. */
    if ((DBGMCU_IDC & DBGMCU_IDC_REV_ID) < IN_FIELD(DBGMCU_IDC_REV_ID, REVISION_V)) {
        AXI_TARG7_FN_MOD = AXI_TARG7_FN_MOD_READ_ISS_OVERRIDE;
    }
    RCC_AHB2ENR |= RCC_AHB2ENR_SRAM1EN | RCC_AHB2ENR_SRAM2EN | RCC_AHB2ENR_SRAM3EN;
    (void)RCC_AHB2ENR;
    forbid_external_memory();
    enable_caches();
    int is_set = select_internal() && raise_voltage() && start_oscillator() && start_pll() && select_pll();
    enable_uart();
    return is_set;
}
