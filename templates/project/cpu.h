/* What the firmware needs from the processor. */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>

uint32_t cpu_id(void);

/* Sleep until an interrupt. It is never taken: it only wakes the processor. Returns at once in a fault handler. */
void cpu_interrupt_enable(uint32_t number);
void cpu_interrupt_wait(uint32_t number);

/* A counter of 24 bits that counts up with the processor clock. */
void cpu_ticks_start(void);
uint32_t cpu_ticks(void);

/* Stack use is found by painting the unused part and looking how far the paint has gone. */
void cpu_stack_paint(void);
uint32_t cpu_stack_nbytes(void); /* the most that was in use since painting, from the point of painting */
int cpu_stack_is_full(void);

#endif
