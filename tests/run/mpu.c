/* What the memory protection unit lets through: SET_REGIONS, then a read of ADDRESS. QEMU ends with 0 when it succeeds,
 * with 1 when it faults.
 */
#include "mpu.h"

static void end(uint32_t reason) {
    register uint32_t operation __asm__("r0") = 0x18u; /* SYS_EXIT */
    register uint32_t parameter __asm__("r1") = reason;
    __asm__ volatile("bkpt 0xAB" : "+r"(operation) : "r"(parameter) : "memory");
    for (;;) {
    }
}

static void fault(void) { end(0x20023u); /* a run-time error */ }

static void reset(void) {
    SET_REGIONS;
    (void)*(volatile uint32_t *)ADDRESS;
    end(0x20026u); /* the program's own end */
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {
    (void *)0x20008000u, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};
