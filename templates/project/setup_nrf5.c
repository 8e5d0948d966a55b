/* nRF51 and nRF52: the processor's clock is the same from the internal oscillator and the crystal, which is exacter. */
#include "cpu.h"
#include "registers.h"
#include "setup.h"

#define CLOCK_TASKS_HFCLKSTART REGISTER(0x40000000u)
#define CLOCK_EVENTS_HFCLKSTARTED REGISTER(0x40000100u)
#define Px_OUTSET(port) REGISTER(0x50000000u + 0x300u * (port) + 0x508u)
#define Px_DIRSET(port) REGISTER(0x50000000u + 0x300u * (port) + 0x518u)
#define Px_PIN_CNFn(port, pin) REGISTER(0x50000000u + 0x300u * (port) + 0x700u + 4u * (pin))
#define Px_PIN_CNFn_PULL FIELD(2, 2)

#define PULL_UP 3u

#if defined(FAMILY_NRF52)
#define NVMC_READY REGISTER(0x4001E400u)
#define NVMC_CONFIG REGISTER(0x4001E504u)
#define NVMC_ICACHECNF REGISTER(0x4001E540u)
#define FICR_INFO_PART REGISTER(0x10000100u)
#define FICR_INFO_VARIANT REGISTER(0x10000104u)
#define UICR_APPROTECT REGISTER(0x10001208u)
#define APPROTECT_DISABLE REGISTER(0x40000558u)

#define NVMC_READY_READY BIT(0)
#define NVMC_CONFIG_WEN FIELD(0, 2)
#define NVMC_ICACHECNF_CACHEEN BIT(0)

#define PART_NRF52840 0x52840u
#define PART_NRF52833 0x52833u
#define WRITE_ENABLED 1u
#define ERASED 0xFFFFFFFFu
#define HW_DISABLED 0x5Au

/* The variant's last two characters, such as F0. */
#define BUILD_CODE(letter, digit) ((uint32_t)(letter) << 8 | (uint32_t)(digit))

/* Does this revision close its debug port at every reset, unless both the configuration and the program say otherwise?
 * On earlier ones any word in the configuration would close it.
 */
static int closes_debug_port(void) {
    uint32_t build_code = FICR_INFO_VARIANT & 0xFFFFu;
    uint32_t first = FICR_INFO_PART == PART_NRF52840 ? BUILD_CODE('F', '0') : BUILD_CODE('B', '0');
    return build_code >= first && build_code <= BUILD_CODE('Z', '9');
}

/* It counts from the next reset on. */
static void configure_debug_port(void) {
    SET_FIELD(NVMC_CONFIG, NVMC_CONFIG_WEN, WRITE_ENABLED);
    UICR_APPROTECT = HW_DISABLED;
    (void)wait_for(&NVMC_READY, NVMC_READY_READY, NVMC_READY_READY);
    SET_FIELD(NVMC_CONFIG, NVMC_CONFIG_WEN, 0u);
    if (UICR_APPROTECT == HW_DISABLED) {
        cpu_reset();
    }
}

/* The program says what the configuration says; earlier revisions have nothing at that address. Where nobody wrote
 * a configuration the port stays open: only some tools write it, and the next one would have to erase the whole part.
 */
static void keep_debug_port(void) {
    if (FICR_INFO_PART != PART_NRF52840 && FICR_INFO_PART != PART_NRF52833) {
        return;
    }
    if (UICR_APPROTECT == ERASED && closes_debug_port()) {
        configure_debug_port();
    }
    APPROTECT_DISABLE = UICR_APPROTECT;
}
#endif

int setup(void) {
#if defined(FAMILY_NRF52)
    keep_debug_port();
    NVMC_ICACHECNF = NVMC_ICACHECNF_CACHEEN;
#endif
    CLOCK_EVENTS_HFCLKSTARTED = 0u;
    CLOCK_TASKS_HFCLKSTART = 1u;
    (void)wait_for(&CLOCK_EVENTS_HFCLKSTARTED, 1u, 1u);
    Px_OUTSET(UART_TX_PORT) = 1u << UART_TX_PIN; /* the idle level */
    Px_DIRSET(UART_TX_PORT) = 1u << UART_TX_PIN;
    Px_PIN_CNFn(UART_RX_PORT, UART_RX_PIN) = IN_FIELD(Px_PIN_CNFn_PULL, PULL_UP);
    return 1;
}
