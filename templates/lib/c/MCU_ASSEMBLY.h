/* Functions that are assembly from their first instruction to their return: the same at any optimization. Callers must
 * not count on registers that compilers believe to be unused. */
#if defined(__clang__)
#define MCU_ASSEMBLY __attribute__((naked, noinline))
#else
#define MCU_ASSEMBLY __attribute__((naked, noinline, noipa))
#endif
