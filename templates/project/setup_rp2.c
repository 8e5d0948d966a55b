/* RP2040 and RP2350: the system PLL from the crystal of 12 MHz, which drives the serial line by itself. */
#include "registers.h"
#include "setup.h"

#if defined(FAMILY_RP2350)
#define CLOCKS 0x40010000u
#define RESETS 0x40020000u
#define IO_BANK0 0x40028000u
#define PADS_BANK0 0x40038000u
#define XOSC 0x40048000u
#define PLL_SYS 0x40050000u
#define RESETS_RESET_IO_BANK0 BIT(6)
#define RESETS_RESET_PADS_BANK0 BIT(9)
#define RESETS_RESET_PLL_SYS BIT(14)
#define RESETS_RESET_UART0 BIT(26)
#define PADS_BANK0_GPIOn_ISO BIT(8)
#else
#define CLOCKS 0x40008000u
#define RESETS 0x4000C000u
#define IO_BANK0 0x40014000u
#define PADS_BANK0 0x4001C000u
#define XOSC 0x40024000u
#define PLL_SYS 0x40028000u
#define RESETS_RESET_IO_BANK0 BIT(5)
#define RESETS_RESET_PADS_BANK0 BIT(8)
#define RESETS_RESET_PLL_SYS BIT(12)
#define RESETS_RESET_UART0 BIT(22)
#endif

#define CLOCKS_CLK_REF_CTRL REGISTER(CLOCKS + 0x30u)
#define CLOCKS_CLK_REF_SELECTED REGISTER(CLOCKS + 0x38u)
#define CLOCKS_CLK_SYS_CTRL REGISTER(CLOCKS + 0x3Cu)
#define CLOCKS_CLK_SYS_SELECTED REGISTER(CLOCKS + 0x44u)
#define CLOCKS_CLK_PERI_CTRL REGISTER(CLOCKS + 0x48u)
#define RESETS_RESET REGISTER(RESETS + 0x0u)
#define RESETS_RESET_DONE REGISTER(RESETS + 0x8u)
#define IO_BANK0_GPIOn_CTRL(pin) REGISTER(IO_BANK0 + 0x4u + 8u * (pin))
#define PADS_BANK0_GPIOn(pin) REGISTER(PADS_BANK0 + 0x4u + 4u * (pin))
#define XOSC_CTRL REGISTER(XOSC + 0x0u)
#define XOSC_STATUS REGISTER(XOSC + 0x4u)
#define XOSC_STARTUP REGISTER(XOSC + 0xCu)
#define PLL_SYS_CS REGISTER(PLL_SYS + 0x0u)
#define PLL_SYS_PWR REGISTER(PLL_SYS + 0x4u)
#define PLL_SYS_FBDIV_INT REGISTER(PLL_SYS + 0x8u)
#define PLL_SYS_PRIM REGISTER(PLL_SYS + 0xCu)

#define CLOCKS_CLK_REF_CTRL_SRC FIELD(0, 2)
#define CLOCKS_CLK_SYS_CTRL_SRC BIT(0)
#define CLOCKS_CLK_SYS_CTRL_AUXSRC FIELD(5, 3)
#define CLOCKS_CLK_PERI_CTRL_AUXSRC FIELD(5, 3)
#define CLOCKS_CLK_PERI_CTRL_ENABLE BIT(11)
#define IO_BANK0_GPIOn_CTRL_FUNCSEL FIELD(0, 5)
#define PADS_BANK0_GPIOn_PDE BIT(2)
#define PADS_BANK0_GPIOn_PUE BIT(3)
#define PADS_BANK0_GPIOn_IE BIT(6)
#define XOSC_CTRL_FREQ_RANGE FIELD(0, 12)
#define XOSC_CTRL_ENABLE FIELD(12, 12)
#define XOSC_STATUS_STABLE BIT(31)
#define XOSC_STARTUP_DELAY FIELD(0, 14)
#define PLL_SYS_CS_REFDIV FIELD(0, 6)
#define PLL_SYS_CS_LOCK BIT(31)
#define PLL_SYS_PWR_PD BIT(0)
#define PLL_SYS_PWR_POSTDIVPD BIT(3)
#define PLL_SYS_PWR_VCOPD BIT(5)
#define PLL_SYS_FBDIV_INT_FBDIV_INT FIELD(0, 12)
#define PLL_SYS_PRIM_POSTDIV1 FIELD(16, 3)
#define PLL_SYS_PRIM_POSTDIV2 FIELD(12, 3)

#define FREQ_RANGE_1_15_MHZ 0xAA0u
#define XOSC_ENABLED 0xFABu
#define XOSC_DELAY 47u /* 1 ms in steps of 256 periods */
#define REF_SRC_XOSC 2u
#define SYS_SRC_REF 0u
#define SYS_SRC_AUX 1u
#define SYS_AUXSRC_PLL_SYS 0u
#define PERI_AUXSRC_XOSC 4u

static int release(uint32_t blocks) {
    RESETS_RESET &= ~blocks;
    return wait_for(&RESETS_RESET_DONE, blocks, blocks);
}

static int start_crystal(void) {
    XOSC_CTRL = IN_FIELD(XOSC_CTRL_FREQ_RANGE, FREQ_RANGE_1_15_MHZ);
    XOSC_STARTUP = IN_FIELD(XOSC_STARTUP_DELAY, XOSC_DELAY);
    SET_FIELD(XOSC_CTRL, XOSC_CTRL_ENABLE, XOSC_ENABLED);
    return wait_for(&XOSC_STATUS, XOSC_STATUS_STABLE, XOSC_STATUS_STABLE);
}

/* `selected` has one bit for each source. */
static int select_reference(void) {
    SET_FIELD(CLOCKS_CLK_SYS_CTRL, CLOCKS_CLK_SYS_CTRL_SRC, SYS_SRC_REF);
    if (!wait_for(&CLOCKS_CLK_SYS_SELECTED, 1u << SYS_SRC_REF, 1u << SYS_SRC_REF)) {
        return 0;
    }
    SET_FIELD(CLOCKS_CLK_REF_CTRL, CLOCKS_CLK_REF_CTRL_SRC, REF_SRC_XOSC);
    return wait_for(&CLOCKS_CLK_REF_SELECTED, 1u << REF_SRC_XOSC, 1u << REF_SRC_XOSC);
}

/* From reset, whatever a program before this one has made of it. */
static int start_pll(void) {
    RESETS_RESET |= RESETS_RESET_PLL_SYS;
    if (!release(RESETS_RESET_PLL_SYS)) {
        return 0;
    }
    SET_FIELD(PLL_SYS_CS, PLL_SYS_CS_REFDIV, 1u);
    PLL_SYS_FBDIV_INT = IN_FIELD(PLL_SYS_FBDIV_INT_FBDIV_INT, SETUP_FEEDBACK);
    PLL_SYS_PWR &= ~(PLL_SYS_PWR_PD | PLL_SYS_PWR_VCOPD);
    if (!wait_for(&PLL_SYS_CS, PLL_SYS_CS_LOCK, PLL_SYS_CS_LOCK)) {
        return 0;
    }
    PLL_SYS_PRIM = IN_FIELD(PLL_SYS_PRIM_POSTDIV1, SETUP_DIVIDER1) | IN_FIELD(PLL_SYS_PRIM_POSTDIV2, SETUP_DIVIDER2);
    PLL_SYS_PWR &= ~PLL_SYS_PWR_POSTDIVPD;
    return 1;
}

static int select_pll(void) {
    SET_FIELD(CLOCKS_CLK_SYS_CTRL, CLOCKS_CLK_SYS_CTRL_AUXSRC, SYS_AUXSRC_PLL_SYS);
    SET_FIELD(CLOCKS_CLK_SYS_CTRL, CLOCKS_CLK_SYS_CTRL_SRC, SYS_SRC_AUX);
    if (wait_for(&CLOCKS_CLK_SYS_SELECTED, 1u << SYS_SRC_AUX, 1u << SYS_SRC_AUX)) {
        return 1;
    }
    SET_FIELD(CLOCKS_CLK_SYS_CTRL, CLOCKS_CLK_SYS_CTRL_SRC, SYS_SRC_REF);
    return 0;
}

static void connect(uint32_t pin) {
#if defined(FAMILY_RP2350)
    PADS_BANK0_GPIOn(pin) &= ~PADS_BANK0_GPIOn_ISO;
#endif
    PADS_BANK0_GPIOn(pin) &= ~PADS_BANK0_GPIOn_PDE;
    PADS_BANK0_GPIOn(pin) |= PADS_BANK0_GPIOn_IE | PADS_BANK0_GPIOn_PUE;
    IO_BANK0_GPIOn_CTRL(pin) = IN_FIELD(IO_BANK0_GPIOn_CTRL_FUNCSEL, UART_ALTERNATE);
}

static void enable_uart(void) {
    SET_FIELD(CLOCKS_CLK_PERI_CTRL, CLOCKS_CLK_PERI_CTRL_AUXSRC, PERI_AUXSRC_XOSC);
    CLOCKS_CLK_PERI_CTRL |= CLOCKS_CLK_PERI_CTRL_ENABLE;
    (void)release(RESETS_RESET_IO_BANK0 | RESETS_RESET_PADS_BANK0 | RESETS_RESET_UART0);
    connect(UART_TX_PIN);
    connect(UART_RX_PIN);
}

/* Without the crystal there is no clock that a serial line could go by; with it and without the PLL there is one. */
int setup(void) {
    int is_set = start_crystal() && select_reference() && start_pll() && select_pll();
    enable_uart();
    return is_set;
}

#if defined(FAMILY_RP2350)
/* What the boot ROM looks for in the first 4 KB: an image for the secure Arm cores, whose vectors come first. */
__attribute__((section(".image_definition"), used)) static const uint32_t image_definition[5] = {
    0xFFFFDED3u, /* a block begins */
    0x10210142u, /* one word: image type, executable, secure, Arm, RP2350 */
    0x000001FFu, /* the last item; one word came before */
    0x00000000u, /* the next block: this one */
    0xAB123579u, /* the block ends */
};
#endif
