/* Parameters that only assembly reads. */
#define MCU_UNUSED __attribute__((unused))
