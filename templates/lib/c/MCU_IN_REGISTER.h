/* A parameter that only assembly language uses, as r0 to r3. */
#define MCU_IN_REGISTER __attribute__((unused))
