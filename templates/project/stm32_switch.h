/* Which clock an STM32 part runs with. RCC_CFGR and its fields SW and SWS must be defined before. */
#ifndef STM32_SWITCH_H
#define STM32_SWITCH_H

#include "registers.h"

static inline int select_clock(uint32_t source) {
    SET_FIELD(RCC_CFGR, RCC_CFGR_SW, source);
    return wait_for(&RCC_CFGR, RCC_CFGR_SWS, IN_FIELD(RCC_CFGR_SWS, source));
}

#endif
