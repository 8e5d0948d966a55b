/* A function that is its assembly language and nothing else: the compiler does not touch any register. */
#define MCU_NAKED __attribute__((naked, noinline))
