/* The processor's own counters: the cycle counter of DWT where there is one that counts, else SysTick. */
#include "cpu.h"
#include "registers.h"

#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define ICSR REGISTER(0xE000ED04u)

#define SYST_CSR_ENABLE BIT(0)
#define SYST_CSR_TICKINT BIT(1)
#define SYST_CSR_CLKSOURCE BIT(2) /* the processor's clock */
#define ICSR_PENDSTCLR BIT(25)

#define START_TRIES (20u * WAIT_TRIES)
#define SYST_BITS 24u
#define SYST_MASK 0xFFFFFFu

#if defined(EMULATED)
/* Instructions are counted with this timer: its interrupt would count too, and 24 bits are enough there. */
#define HAS_DWT 0
#define SYST_START (SYST_CSR_ENABLE | SYST_CSR_CLKSOURCE)
#else
#if __ARM_ARCH >= 7
#define HAS_DWT 1
#else
#define HAS_DWT 0
#endif
#define SYST_START (SYST_CSR_ENABLE | SYST_CSR_CLKSOURCE | SYST_CSR_TICKINT)
#endif

static volatile uint32_t wraps;

#if HAS_DWT
static int is_dwt;
static uint32_t dwt_before; /* where it was when somebody looked */
static uint32_t dwt_wraps;

#define DWT_CTRL REGISTER(0xE0001000u)
#define DWT_CYCCNT REGISTER(0xE0001004u)
#define DWT_LAR REGISTER(0xE0001FB0u)
#define DEMCR REGISTER(0xE000EDFCu)

#define DWT_CTRL_CYCCNTENA BIT(0)
#define DEMCR_TRCENA BIT(24)
#define LAR_KEY 0xC5ACCE55u /* the Cortex-M7 locks the counter */

/* Emulators have no such counter, and a chip's maker may leave it out: only one that moves is one. */
static int start_dwt(void) {
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = LAR_KEY;
    DWT_CYCCNT = 0u;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
    uint32_t before = DWT_CYCCNT;
    __asm__ volatile("nop\n nop\n nop\n nop");
    return DWT_CYCCNT != before;
}

/* Not to be interrupted by itself. The timer's interrupt looks often enough that no wrap is missed. */
static uint64_t look_at_dwt(void) {
    uint32_t now = DWT_CYCCNT;
    dwt_wraps += now < dwt_before ? 1u : 0u;
    dwt_before = now;
    return ((uint64_t)dwt_wraps << 32) + now;
}
#endif

void cpu_tick_wrapped(void) {
    wraps++;
#if HAS_DWT
    if (is_dwt) {
        (void)look_at_dwt();
    }
#endif
}

static void start_systick(void) {
    wraps = 0u;
    SYST_RVR = SYST_MASK;
    SYST_CVR = 0u;
    SYST_CSR = SYST_START;
#if !defined(EMULATED)
    /* It begins with 0 and the reload, which would look like a wrap. An emulator on a busy machine takes its time. */
    for (uint32_t i = 0u; i < START_TRIES && SYST_CVR == 0u; i++) {
    }
#endif
}

void cpu_ticks_start(void) {
    SYST_CSR = 0u;
#if HAS_DWT
    dwt_before = 0u;
    dwt_wraps = 0u;
    is_dwt = start_dwt();
#endif
    start_systick();
}

void cpu_ticks_stop(void) {
    SYST_CSR = 0u;
#if !defined(EMULATED)
    ICSR = ICSR_PENDSTCLR;
#endif
}

#if defined(EMULATED)
uint32_t cpu_ticks(void) { return SYST_MASK - SYST_CVR; }

uint64_t cpu_long_ticks(void) { return cpu_ticks(); }
#else
/* Read again when the interrupt of a wrap came in between; one that cannot be taken yet is pending. */
static uint64_t systick(void) {
    uint32_t before;
    uint32_t value;
    do {
        before = wraps;
        value = SYST_CVR;
    } while (wraps != before);
    return ((uint64_t)before << SYST_BITS) + (SYST_MASK - value);
}

uint32_t cpu_ticks(void) {
#if HAS_DWT
    if (is_dwt) {
        return DWT_CYCCNT;
    }
#endif
    return (uint32_t)systick();
}

uint64_t cpu_long_ticks(void) {
#if HAS_DWT
    if (is_dwt) {
        cpu_interrupts_off();
        uint64_t ticks = look_at_dwt();
        cpu_interrupts_on();
        return ticks;
    }
#endif
    return systick();
}

void cpu_time_start(void) {
    SYST_CSR = 0u;
    start_systick();
}

uint64_t cpu_time_us(void) { return systick() * 1000000u / cpu_clock_hz(); }
#endif

/* Some makers leave the timer out, too. */
static int counts(void) {
    uint32_t before = cpu_ticks();
    for (volatile uint32_t i = 0u; i < 100u; i++) {
    }
    return cpu_ticks() != before;
}

uint32_t cpu_ticks_kind(void) {
    cpu_ticks_start();
    uint32_t kind = counts() ? TICKS_TIMER : TICKS_NONE;
#if HAS_DWT
    kind = is_dwt ? TICKS_DWT : kind;
#endif
    cpu_ticks_stop();
    return kind;
}
