/* A parameter of such a function, which reads it in its register. */
#define MCU_IN_ASSEMBLY __attribute__((unused))
