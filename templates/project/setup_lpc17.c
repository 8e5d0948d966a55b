/* LPC1768 and its relatives: PLL0 from the crystal (UM10360). Its output is 2 * M * crystal / N, in 275 to 550 MHz. */
#include "registers.h"
#include "setup.h"

#define SYSCON_FLASHCFG REGISTER(0x400FC000u)
#define SYSCON_MEMMAP REGISTER(0x400FC040u)
#define SYSCON_PLL0CON REGISTER(0x400FC080u)
#define SYSCON_PLL0CFG REGISTER(0x400FC084u)
#define SYSCON_PLL0STAT REGISTER(0x400FC088u)
#define SYSCON_PLL0FEED REGISTER(0x400FC08Cu)
#define SYSCON_PCONP REGISTER(0x400FC0C4u)
#define SYSCON_CCLKCFG REGISTER(0x400FC104u)
#define SYSCON_CLKSRCSEL REGISTER(0x400FC10Cu)
#define SYSCON_SCS REGISTER(0x400FC1A0u)
#define SYSCON_PCLKSEL0 REGISTER(0x400FC1A8u)
#define PINCONNECT_PINSEL0 REGISTER(0x4002C000u)

#define SYSCON_FLASHCFG_FLASHTIM FIELD(12, 4)
#define SYSCON_PLL0CON_PLLE0 BIT(0)
#define SYSCON_PLL0CON_PLLC0 BIT(1)
#define SYSCON_PLL0CFG_MSEL0 FIELD(0, 15)
#define SYSCON_PLL0CFG_NSEL0 FIELD(16, 8)
#define SYSCON_PLL0STAT_PLLE0_STAT BIT(24)
#define SYSCON_PLL0STAT_PLLC0_STAT BIT(25)
#define SYSCON_PLL0STAT_PLOCK0 BIT(26)
#define SYSCON_PCONP_PCUART0 BIT(3)
#define SYSCON_CCLKCFG_CCLKSEL FIELD(0, 8)
#define SYSCON_CLKSRCSEL_CLKSRC FIELD(0, 2)
#define SYSCON_SCS_OSCRANGE BIT(4)
#define SYSCON_SCS_OSCEN BIT(5)
#define SYSCON_SCS_OSCSTAT BIT(6)
#define SYSCON_PCLKSEL0_PCLK_UART0 FIELD(6, 2)
#define PINCONNECT_PINSEL0_P0_n(pin) FIELD(2u * (pin), 2u)

#define UART0 0x4000C000u
_Static_assert(UART_BASE == UART0 && UART_TX_PORT == 0u && UART_TX_PIN < 16u && UART_RX_PORT == 0u && UART_RX_PIN < 16u,
               "this driver sets up UART0");

#define CLKSRC_INTERNAL 0u
#define CLKSRC_CRYSTAL 1u
#define PCLK_UNDIVIDED 1u
#define MEMMAP_FLASH 1u

/* What is written to PLL0's registers counts from here on. */
static void feed_pll(void) {
    SYSCON_PLL0FEED = 0xAAu;
    SYSCON_PLL0FEED = 0x55u;
}

/* Disconnected first, then off: both at once is not allowed. */
static void select_internal(void) {
    SYSCON_PLL0CON &= ~SYSCON_PLL0CON_PLLC0;
    feed_pll();
    SYSCON_PLL0CON = 0u;
    feed_pll();
    SET_FIELD(SYSCON_CLKSRCSEL, SYSCON_CLKSRCSEL_CLKSRC, CLKSRC_INTERNAL);
    SET_FIELD(SYSCON_CCLKCFG, SYSCON_CCLKCFG_CCLKSEL, 0u);
}

static int start_crystal(void) {
    const uint32_t above_20_mhz = SETUP_OSCILLATOR_HZ > 20000000 ? SYSCON_SCS_OSCRANGE : 0u;
    SYSCON_SCS = (SYSCON_SCS & ~SYSCON_SCS_OSCRANGE) | above_20_mhz;
    SYSCON_SCS |= SYSCON_SCS_OSCEN;
    return wait_for(&SYSCON_SCS, SYSCON_SCS_OSCSTAT, SYSCON_SCS_OSCSTAT);
}

static int start_pll(void) {
    SET_FIELD(SYSCON_CLKSRCSEL, SYSCON_CLKSRCSEL_CLKSRC, CLKSRC_CRYSTAL);
    SYSCON_PLL0CFG = IN_FIELD(SYSCON_PLL0CFG_MSEL0, SETUP_M - 1) | IN_FIELD(SYSCON_PLL0CFG_NSEL0, SETUP_N - 1);
    feed_pll();
    SYSCON_PLL0CON = SYSCON_PLL0CON_PLLE0;
    feed_pll();
    return wait_for(&SYSCON_PLL0STAT, SYSCON_PLL0STAT_PLOCK0, SYSCON_PLL0STAT_PLOCK0);
}

static int select_pll(void) {
    const uint32_t connected = SYSCON_PLL0STAT_PLLE0_STAT | SYSCON_PLL0STAT_PLLC0_STAT;
    SET_FIELD(SYSCON_FLASHCFG, SYSCON_FLASHCFG_FLASHTIM, SETUP_WAIT_STATES);
    SET_FIELD(SYSCON_CCLKCFG, SYSCON_CCLKCFG_CCLKSEL, SETUP_DIVIDER - 1);
    SYSCON_PLL0CON = SYSCON_PLL0CON_PLLE0 | SYSCON_PLL0CON_PLLC0;
    feed_pll();
    return wait_for(&SYSCON_PLL0STAT, connected, connected);
}

static void enable_uart(void) {
    SYSCON_PCONP |= SYSCON_PCONP_PCUART0;
    SET_FIELD(PINCONNECT_PINSEL0, PINCONNECT_PINSEL0_P0_n(UART_TX_PIN), UART_ALTERNATE);
    SET_FIELD(PINCONNECT_PINSEL0, PINCONNECT_PINSEL0_P0_n(UART_RX_PIN), UART_ALTERNATE);
}

int setup(void) {
    SYSCON_MEMMAP = MEMMAP_FLASH; /* the vectors are read at address 0, where a debugger may have left the boot ROM */
    select_internal();
    /* Erratum PCLKSELx.1: what these select may be lost when it is written with PLL0 connected. */
    SET_FIELD(SYSCON_PCLKSEL0, SYSCON_PCLKSEL0_PCLK_UART0, PCLK_UNDIVIDED);
    enable_uart();
    if (start_crystal() && start_pll() && select_pll()) {
        return 1;
    }
    select_internal();
    return 0;
}
