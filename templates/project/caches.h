/* The caches of a Cortex-M7. Nothing but the processor writes to memory here, so nothing ever has to be cleaned. */
#ifndef CACHES_H
#define CACHES_H

#include "registers.h"

#define CCR REGISTER(0xE000ED14u)
#define CCSIDR REGISTER(0xE000ED80u)
#define CSSELR REGISTER(0xE000ED84u)
#define ICIALLU REGISTER(0xE000EF50u)
#define DCISW REGISTER(0xE000EF60u)

#define CCR_DC BIT(16)
#define CCR_IC BIT(17)
#define CCSIDR_ASSOCIATIVITY FIELD(3, 10)
#define CCSIDR_SETS FIELD(13, 15)

/* The fields of DCISW, for lines of 32 bytes and four ways, as all Cortex-M7 have them. */
#define DCISW_SET(set) ((set) << 5)
#define DCISW_WAY(way) ((way) << 30)

/* Caches hold anything after power-up: they are invalidated before they are used. A data cache that is on already, as a
 * boot loader may leave it, holds what memory does not.
 */
static inline void enable_caches(void) {
    ICIALLU = 0u;
    __asm__ volatile("dsb\n isb" ::: "memory");
    CCR |= CCR_IC;
    if ((CCR & CCR_DC) != 0u) {
        return;
    }
    CSSELR = 0u;
    __asm__ volatile("dsb" ::: "memory");
    uint32_t sets = (CCSIDR & CCSIDR_SETS) >> 13;
    uint32_t ways = (CCSIDR & CCSIDR_ASSOCIATIVITY) >> 3;
    for (uint32_t set = 0u; set <= sets; set++) {
        for (uint32_t way = 0u; way <= ways; way++) {
            DCISW = DCISW_SET(set) | DCISW_WAY(way);
        }
    }
    __asm__ volatile("dsb\n isb" ::: "memory");
    CCR |= CCR_DC;
    __asm__ volatile("dsb\n isb" ::: "memory");
}

#endif
