/* Stellaris LM3S of the Fury class: the PLL of 400 MHz, halved, from the crystal (data sheet of the LM3S6965). */
#include "registers.h"
#include "setup.h"

#define SYSCTL_RIS REGISTER(0x400FE050u)
#define SYSCTL_RCC REGISTER(0x400FE060u)
#define SYSCTL_RCGC1 REGISTER(0x400FE104u)
#define SYSCTL_RCGC2 REGISTER(0x400FE108u)
#define GPIOA_AFSEL REGISTER(0x40004420u)
#define GPIOA_DEN REGISTER(0x4000451Cu)

#define SYSCTL_RIS_PLLLRIS BIT(6)
#define SYSCTL_RCC_MOSCDIS BIT(0)
#define SYSCTL_RCC_OSCSRC FIELD(4, 2) /* 0: the main oscillator */
#define SYSCTL_RCC_XTAL FIELD(6, 4)
#define SYSCTL_RCC_BYPASS BIT(11)
#define SYSCTL_RCC_PWRDN BIT(13)
#define SYSCTL_RCC_USESYSDIV BIT(22)
#define SYSCTL_RCC_SYSDIV FIELD(23, 4)
#define SYSCTL_RCGC1_UART0 BIT(0)
#define SYSCTL_RCGC2_GPIOA BIT(0)

#define XTAL_8_MHZ 0xEu

/* The crystal is given the time of the internal oscillator's first steps; it has no bit that says that it runs. */
static void start_crystal(void) {
    SYSCTL_RCC |= SYSCTL_RCC_BYPASS;
    SYSCTL_RCC &= ~SYSCTL_RCC_MOSCDIS;
    SET_FIELD(SYSCTL_RCC, SYSCTL_RCC_XTAL, XTAL_8_MHZ);
    for (volatile uint32_t i = 0u; i < WAIT_TRIES; i++) {
    }
}

static int start_pll(void) {
    SYSCTL_RCC &= ~(SYSCTL_RCC_OSCSRC | SYSCTL_RCC_PWRDN);
    SET_FIELD(SYSCTL_RCC, SYSCTL_RCC_SYSDIV, SETUP_DIVIDER - 1);
    SYSCTL_RCC |= SYSCTL_RCC_USESYSDIV;
    if (!wait_for(&SYSCTL_RIS, SYSCTL_RIS_PLLLRIS, SYSCTL_RIS_PLLLRIS)) {
        SYSCTL_RCC &= ~SYSCTL_RCC_USESYSDIV;
        return 0;
    }
    SYSCTL_RCC &= ~SYSCTL_RCC_BYPASS;
    return 1;
}

int setup(void) {
    start_crystal();
    int is_set = start_pll();
    SYSCTL_RCGC1 |= SYSCTL_RCGC1_UART0;
    SYSCTL_RCGC2 |= SYSCTL_RCGC2_GPIOA;
    (void)SYSCTL_RCGC2; /* the clock takes some cycles to come */
    (void)SYSCTL_RCGC2;
    GPIOA_AFSEL |= (1u << UART_TX_PIN) | (1u << UART_RX_PIN);
    GPIOA_DEN |= (1u << UART_TX_PIN) | (1u << UART_RX_PIN);
    return is_set;
}
