/* nRF51 and nRF52: the processor's clock is the same from the internal oscillator and the crystal, which is exacter. */
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
#define NVMC_ICACHECNF REGISTER(0x4001E540u)
#define NVMC_ICACHECNF_CACHEEN BIT(0)
#define FICR_INFO_PART REGISTER(0x10000100u)
#define UICR_APPROTECT REGISTER(0x10001208u)
#define APPROTECT_DISABLE REGISTER(0x40000558u)

#define PART_NRF52840 0x52840u
#define PART_NRF52833 0x52833u

/* Later revisions close their debug port at every reset, until the program says what the configuration says. Earlier
 * ones have nothing at this address.
 */
static void keep_debug_port(void) {
    if (FICR_INFO_PART == PART_NRF52840 || FICR_INFO_PART == PART_NRF52833) {
        APPROTECT_DISABLE = UICR_APPROTECT;
    }
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
