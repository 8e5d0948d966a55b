/* The memory protection unit of a Cortex-M7. Such a processor reads ordinary memory ahead of the program, also where there
 * is none, and an external bus that does not answer may stop it for good.
 */
#ifndef MPU_H
#define MPU_H

#include "registers.h"

#define MPU_TYPE REGISTER(0xE000ED90u)
#define MPU_CTRL REGISTER(0xE000ED94u)
#define MPU_RNR REGISTER(0xE000ED98u)
#define MPU_RBAR REGISTER(0xE000ED9Cu)
#define MPU_RASR REGISTER(0xE000EDA0u)

#define MPU_TYPE_REGIONS(type) ((type) >> 8 & 0xFFu)
#define MPU_CTRL_ENABLE BIT(0)
#define MPU_CTRL_PRIVDEFENA BIT(2)
#define MPU_RBAR_VALID BIT(4)
#define MPU_RASR_ENABLE BIT(0)
#define MPU_RASR_SIZE FIELD(1, 5)
#define MPU_RASR_C BIT(17)
#define MPU_RASR_AP FIELD(24, 3)
#define MPU_RASR_XN BIT(28)

#define EXTERNAL_MEMORY 0x60000000u
#define EXTERNAL_MEMORY_2 0x80000000u
#define HALF_GB 0x20000000u
#define AP_NONE 0u
#define AP_READ_ONLY 6u
#define ABSENT (IN_FIELD(MPU_RASR_AP, AP_NONE) | MPU_RASR_XN)

/* Off, without regions: a boot loader may have left some. */
static inline void mpu_clear(void) {
    MPU_CTRL = 0u;
    for (uint32_t i = 0u; i < MPU_TYPE_REGIONS(MPU_TYPE); i++) {
        MPU_RNR = i;
        MPU_RASR = 0u;
    }
}

/* `nbytes` is a power of two, `base` a multiple of it. Where regions overlap, the one with the highest number counts. */
static inline void mpu_set_region(uint32_t number, uint32_t base, uint32_t nbytes, uint32_t attributes) {
    MPU_RBAR = base | MPU_RBAR_VALID | number;
    MPU_RASR = IN_FIELD(MPU_RASR_SIZE, 30u - (uint32_t)__builtin_clz(nbytes)) | attributes | MPU_RASR_ENABLE;
}

/* What no region covers stays as it is without the unit. */
static inline void mpu_enable(void) {
    MPU_CTRL = MPU_CTRL_PRIVDEFENA | MPU_CTRL_ENABLE;
    __asm__ volatile("dsb\n isb" ::: "memory");
}

/* For parts that run from their own flash. */
static inline void forbid_external_memory(void) {
    mpu_clear();
    mpu_set_region(0u, EXTERNAL_MEMORY, HALF_GB, ABSENT);
    mpu_set_region(1u, EXTERNAL_MEMORY_2, HALF_GB, ABSENT);
    mpu_enable();
}

#endif
