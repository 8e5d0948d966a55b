/* The nRF51 has no SysTick: its first timer counts at 16 MHz, as the processor does. */
#include "cpu.h"
#include "registers.h"

#define TIMER0_TASKS_START REGISTER(0x40008000u)
#define TIMER0_TASKS_STOP REGISTER(0x40008004u)
#define TIMER0_TASKS_CLEAR REGISTER(0x4000800Cu)
#define TIMER0_TASKS_CAPTUREn(n) REGISTER(0x40008040u + 4u * (n))
#define TIMER0_EVENTS_COMPAREn(n) REGISTER(0x40008140u + 4u * (n))
#define TIMER0_MODE REGISTER(0x40008504u)
#define TIMER0_BITMODE REGISTER(0x40008508u)
#define TIMER0_PRESCALER REGISTER(0x40008510u)
#define TIMER0_CCn(n) REGISTER(0x40008540u + 4u * (n))

#define TIMER0_BITMODE_BITMODE FIELD(0, 2)
#define BITMODE_32 3u
#define PRESCALER_1_MHZ 4u
#define LAST_TICK 0xFFFFFFFFu

void cpu_tick_wrapped(void) {}

static void start(uint32_t prescaler) {
    TIMER0_TASKS_STOP = 1u;
    TIMER0_MODE = 0u;
    TIMER0_BITMODE = IN_FIELD(TIMER0_BITMODE_BITMODE, BITMODE_32);
    TIMER0_PRESCALER = prescaler;
    TIMER0_TASKS_CLEAR = 1u;
    TIMER0_CCn(1u) = LAST_TICK;
    TIMER0_EVENTS_COMPAREn(1u) = 0u;
    TIMER0_TASKS_START = 1u;
}

void cpu_ticks_start(void) { start(0u); }

void cpu_ticks_stop(void) { TIMER0_TASKS_STOP = 1u; }

uint32_t cpu_ticks(void) {
    TIMER0_TASKS_CAPTUREn(0u) = 1u;
    return TIMER0_CCn(0u);
}

/* How often it began anew, in 268 seconds each, nobody counts. */
uint64_t cpu_long_ticks(void) {
    uint32_t ticks = cpu_ticks();
    return TIMER0_EVENTS_COMPAREn(1u) != 0u ? TICKS_LOST : ticks;
}

void cpu_time_start(void) { start(PRESCALER_1_MHZ); }

/* Begins anew after 71 minutes. */
uint64_t cpu_time_us(void) { return cpu_ticks(); }

uint32_t cpu_ticks_kind(void) { return TICKS_TIMER; }
