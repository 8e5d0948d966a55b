/* What the firmware needs from the processor. */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>

uint32_t cpu_id(void);
__attribute__((noreturn)) void cpu_reset(void);

/* Whether the processor runs with the clock that the board file gives, and with what it runs. */
int cpu_clock_is_set(void);
uint32_t cpu_clock_hz(void);

void cpu_interrupt_enable(uint32_t number);
void cpu_interrupts_off(void);
void cpu_interrupts_on(void);
void cpu_sleep(void);      /* until an interrupt is pending, also while interrupts are off */
int cpu_is_in_fault(void); /* in a fault handler, where no interrupt is taken any more */

/* A counter of the processor clock, modulo CPU_TICKS_MASK + 1. */
#if defined(EMULATED)
#define CPU_TICKS_MASK 0xFFFFFFu
#define CPU_LONG_TICKS_MASK ((uint64_t)CPU_TICKS_MASK)
#else
#define CPU_TICKS_MASK 0xFFFFFFFFu
#define CPU_LONG_TICKS_MASK (~(uint64_t)0)
#endif
void cpu_ticks_start(void);
void cpu_ticks_stop(void);
uint32_t cpu_ticks(void);
uint64_t cpu_long_ticks(void); /* modulo CPU_LONG_TICKS_MASK + 1; it takes longer to read */
void cpu_tick_wrapped(void);   /* the timer's interrupt */

/* For cpu_long_ticks: more than can be told. */
#define TICKS_LOST (~(uint64_t)0)

/* What counts, found out by looking whether it does. */
#define TICKS_NONE 0u
#define TICKS_TIMER 1u
#define TICKS_DWT 2u
uint32_t cpu_ticks_kind(void);

/* Microseconds since the start, for runs that last longer than the ticks count. Either time or ticks, not both. */
void cpu_time_start(void);
uint64_t cpu_time_us(void);

/* Stack use is found by painting the unused part and looking how far the paint has gone. */
void cpu_stack_paint(void);
uint32_t cpu_stack_nbytes(void); /* the most that was in use since painting, from the point of painting */
int cpu_stack_is_full(void);

#endif
