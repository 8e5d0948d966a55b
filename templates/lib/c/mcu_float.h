/* A float that may lie in memory where integers were before, or will be soon. */
#if defined(__GNUC__)
typedef float __attribute__((may_alias)) mcu_float;
#else
typedef float mcu_float;
#endif
