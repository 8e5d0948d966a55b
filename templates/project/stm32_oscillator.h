/* The external oscillator of STM32 parts, whose RCC_CR has it at the same bits. RCC_CR must be defined before. */
#ifndef STM32_OSCILLATOR_H
#define STM32_OSCILLATOR_H

#include "registers.h"
#include "setup.h"

#define RCC_CR_HSEON BIT(16)
#define RCC_CR_HSERDY BIT(17)
#define RCC_CR_HSEBYP BIT(18)

/* Whether it is taken for a crystal or for a clock signal can only be said while it is off, and a boot loader may have
 * switched it on.
 */
static inline int start_oscillator(void) {
    if (SETUP_OSCILLATOR == OSCILLATOR_INTERNAL) {
        return 1;
    }
    RCC_CR &= ~RCC_CR_HSEON;
    if (!wait_for(&RCC_CR, RCC_CR_HSERDY, 0u)) {
        return 0;
    }
    if (SETUP_OSCILLATOR == OSCILLATOR_BYPASS) {
        RCC_CR |= RCC_CR_HSEBYP;
    } else {
        RCC_CR &= ~RCC_CR_HSEBYP;
    }
    RCC_CR |= RCC_CR_HSEON;
    return wait_for(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY);
}

#endif
