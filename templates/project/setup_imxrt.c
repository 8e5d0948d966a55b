/* i.MX RT1060: the Arm PLL from the crystal of 24 MHz (IMXRT1060RM). The program runs from the flash that the
 * boot ROM has made readable, whose clock is another one.
 */
#include "caches.h"
#include "mpu.h"
#include "registers.h"
#include "setup.h"

#define CCM_CACRR REGISTER(0x400FC010u)
#define CCM_CBCDR REGISTER(0x400FC014u)
#define CCM_CBCMR REGISTER(0x400FC018u)
#define CCM_CSCMR1 REGISTER(0x400FC01Cu)
#define CCM_CSCDR1 REGISTER(0x400FC024u)
#define CCM_CDHIPR REGISTER(0x400FC048u)
#define CCM_CLPCR REGISTER(0x400FC054u)
#define CCM_CGPR REGISTER(0x400FC064u)
#define CCM_CCGR4 REGISTER(0x400FC078u)
#define CCM_CCGR5 REGISTER(0x400FC07Cu)
#define CCM_ANALOG_PLL_ARM REGISTER(0x400D8000u)
#define DCDC_REG0 REGISTER(0x40080000u)
#define DCDC_REG3 REGISTER(0x4008000Cu)
#define RTWDOG_CS REGISTER(0x400BC000u)
#define RTWDOG_CNT REGISTER(0x400BC004u)
#define RTWDOG_TOVAL REGISTER(0x400BC008u)
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_n(pin) REGISTER(0x401F80BCu + 4u * (pin))
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n(pin) REGISTER(0x401F82ACu + 4u * (pin))

#define CCM_CACRR_ARM_PODF FIELD(0, 3)
#define CCM_CBCDR_IPG_PODF FIELD(8, 2)
#define CCM_CBCDR_AHB_PODF FIELD(10, 3)
#define CCM_CBCDR_SEMC_PODF FIELD(16, 3)
#define CCM_CBCDR_PERIPH_CLK_SEL BIT(25)
#define CCM_CBCDR_PERIPH_CLK2_PODF FIELD(27, 3)
#define CCM_CBCMR_PERIPH_CLK2_SEL FIELD(12, 2)
#define CCM_CBCMR_PRE_PERIPH_CLK_SEL FIELD(18, 2)
#define CCM_CSCMR1_PERCLK_PODF FIELD(0, 6)
#define CCM_CSCDR1_UART_CLK_PODF FIELD(0, 6)
#define CCM_CSCDR1_UART_CLK_SEL BIT(6)
#define CCM_CDHIPR_SEMC_PODF_BUSY BIT(0)
#define CCM_CDHIPR_AHB_PODF_BUSY BIT(1)
#define CCM_CDHIPR_PERIPH_CLK_SEL_BUSY BIT(5)
#define CCM_CDHIPR_ARM_PODF_BUSY BIT(16)
#define CCM_CLPCR_LPM FIELD(0, 2)
#define CCM_CGPR_INT_MEM_CLK_LPM BIT(17)
#define CCM_CCGR4_CG1 FIELD(2, 2)
#define CCM_CCGR5_CG12 FIELD(24, 2)
#define CCM_ANALOG_PLL_ARM_DIV_SELECT FIELD(0, 7)
#define CCM_ANALOG_PLL_ARM_POWERDOWN BIT(12)
#define CCM_ANALOG_PLL_ARM_ENABLE BIT(13)
#define CCM_ANALOG_PLL_ARM_BYPASS_CLK_SRC FIELD(14, 2)
#define CCM_ANALOG_PLL_ARM_BYPASS BIT(16)
#define CCM_ANALOG_PLL_ARM_LOCK BIT(31)
#define DCDC_REG0_STS_DC_OK BIT(31)
#define DCDC_REG3_TRG FIELD(0, 5)
#define RTWDOG_CS_UPDATE BIT(5)
#define RTWDOG_CS_EN BIT(7)
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_n_MUX_MODE FIELD(0, 3)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_DSE FIELD(3, 3)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_SPEED FIELD(6, 2)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_PKE BIT(12)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_PUE BIT(13)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_PUS FIELD(14, 2)

#define LPUART1 0x40184000u
_Static_assert(UART_BASE == LPUART1 && UART_TX_PORT == 0u && UART_RX_PORT == 0u,
               "this driver sets up LPUART1 at pads AD_B0; the inputs of others have to be routed, too");
_Static_assert((FLASH_NBYTES & (FLASH_NBYTES - 1u)) == 0u, "the regions of the flash must make a power of two");

#define RUN_MODE 0u
#define WATCHDOG_KEY 0xD928C520u
#define TRG_1275_MV 0x13u
#define CLK2_CRYSTAL 1u
#define PRE_PERIPH_ARM_PLL 3u
#define GATE_OPEN 3u
#define PULL_UP_100K 2u
#define SPEED_100_MHZ 2u
#define DRIVE_6 6u

/* After reset, waiting for an interrupt stops the clocks, and that of the debug port with them: no probe would get in
 * again.
 */
static void keep_clocks(void) {
    CCM_CGPR |= CCM_CGPR_INT_MEM_CLK_LPM;
    SET_FIELD(CCM_CLPCR, CCM_CLPCR_LPM, RUN_MODE);
}

/* It runs after reset, unless a fuse says otherwise. */
static void stop_watchdog(void) {
    if ((RTWDOG_CS & RTWDOG_CS_EN) != 0u) {
        RTWDOG_CNT = WATCHDOG_KEY;
        RTWDOG_TOVAL = 0xFFFFu;
        RTWDOG_CS = (RTWDOG_CS & ~RTWDOG_CS_EN) | RTWDOG_CS_UPDATE;
    }
}

/* All external memory but the flash that the program runs from, which the boot ROM has made readable. */
static void forbid_absent_memory(void) {
    mpu_clear();
    mpu_set_region(0u, EXTERNAL_MEMORY, HALF_GB, ABSENT);
    mpu_set_region(1u, EXTERNAL_MEMORY, FLASH_NBYTES, IN_FIELD(MPU_RASR_AP, AP_READ_ONLY) | MPU_RASR_C);
    mpu_set_region(2u, EXTERNAL_MEMORY_2, HALF_GB, ABSENT);
    mpu_enable();
}

static int select_crystal(void) {
    SET_FIELD(CCM_CBCDR, CCM_CBCDR_PERIPH_CLK2_PODF, 0u);
    SET_FIELD(CCM_CBCMR, CCM_CBCMR_PERIPH_CLK2_SEL, CLK2_CRYSTAL);
    CCM_CBCDR |= CCM_CBCDR_PERIPH_CLK_SEL;
    return wait_for(&CCM_CDHIPR, CCM_CDHIPR_PERIPH_CLK_SEL_BUSY, 0u);
}

static int raise_voltage(void) {
    SET_FIELD(DCDC_REG3, DCDC_REG3_TRG, TRG_1275_MV);
    return wait_for(&DCDC_REG0, DCDC_REG0_STS_DC_OK, DCDC_REG0_STS_DC_OK);
}

static int start_pll(void) {
    const uint32_t set_anew = CCM_ANALOG_PLL_ARM_BYPASS_CLK_SRC | CCM_ANALOG_PLL_ARM_POWERDOWN;
    CCM_ANALOG_PLL_ARM |= CCM_ANALOG_PLL_ARM_BYPASS;
    CCM_ANALOG_PLL_ARM &= ~set_anew;
    SET_FIELD(CCM_ANALOG_PLL_ARM, CCM_ANALOG_PLL_ARM_DIV_SELECT, SETUP_LOOP_DIVIDER);
    CCM_ANALOG_PLL_ARM |= CCM_ANALOG_PLL_ARM_ENABLE;
    if (!wait_for(&CCM_ANALOG_PLL_ARM, CCM_ANALOG_PLL_ARM_LOCK, CCM_ANALOG_PLL_ARM_LOCK)) {
        return 0;
    }
    CCM_ANALOG_PLL_ARM &= ~CCM_ANALOG_PLL_ARM_BYPASS;
    return 1;
}

/* What is not in use must not be clocked too fast either: the timers at most with 75 MHz, the external bus with 166. */
static int select_pll(void) {
    SET_FIELD(CCM_CSCMR1, CCM_CSCMR1_PERCLK_PODF, 1u);
    SET_FIELD(CCM_CBCDR, CCM_CBCDR_SEMC_PODF, 7u);
    SET_FIELD(CCM_CACRR, CCM_CACRR_ARM_PODF, SETUP_DIVIDER - 1);
    SET_FIELD(CCM_CBCDR, CCM_CBCDR_AHB_PODF, 0u);
    SET_FIELD(CCM_CBCDR, CCM_CBCDR_IPG_PODF, SETUP_BUS_DIVIDER - 1);
    SET_FIELD(CCM_CBCMR, CCM_CBCMR_PRE_PERIPH_CLK_SEL, PRE_PERIPH_ARM_PLL);
    if (!wait_for(&CCM_CDHIPR, CCM_CDHIPR_ARM_PODF_BUSY | CCM_CDHIPR_AHB_PODF_BUSY | CCM_CDHIPR_SEMC_PODF_BUSY, 0u)) {
        return 0;
    }
    CCM_CBCDR &= ~CCM_CBCDR_PERIPH_CLK_SEL;
    return wait_for(&CCM_CDHIPR, CCM_CDHIPR_PERIPH_CLK_SEL_BUSY, 0u);
}

static void select_pin(uint32_t pin) {
    IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_n(pin) =
        IN_FIELD(IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_n_MUX_MODE, UART_ALTERNATE);
    IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n(pin) =
        IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_PKE | IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_PUE |
        IN_FIELD(IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_PUS, PULL_UP_100K) |
        IN_FIELD(IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_SPEED, SPEED_100_MHZ) |
        IN_FIELD(IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_n_DSE, DRIVE_6);
}

/* From the crystal, whatever the processor runs with. */
static void enable_uart(void) {
    SET_FIELD(CCM_CCGR4, CCM_CCGR4_CG1, GATE_OPEN);  /* the pins' multiplexer */
    SET_FIELD(CCM_CCGR5, CCM_CCGR5_CG12, GATE_OPEN); /* LPUART1 */
    SET_FIELD(CCM_CSCDR1, CCM_CSCDR1_UART_CLK_PODF, 0u);
    CCM_CSCDR1 |= CCM_CSCDR1_UART_CLK_SEL;
    select_pin(UART_TX_PIN);
    select_pin(UART_RX_PIN);
}

int setup(void) {
    keep_clocks();
    stop_watchdog();
    forbid_absent_memory();
    enable_caches();
    int is_set = select_crystal() && raise_voltage() && start_pll() && select_pll();
    enable_uart();
    return is_set;
}
