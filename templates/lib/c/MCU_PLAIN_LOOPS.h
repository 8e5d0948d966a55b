/* For functions with copying loops, which must not become calls of memcpy: there may be no C library. Nor vectors: gcc
 * misjudges the length of Helium code and then jumps too far. */
#if defined(__clang__)
#define MCU_PLAIN_LOOPS __attribute__((no_builtin("memcpy", "memmove", "memset")))
#elif defined(__GNUC__)
#define MCU_PLAIN_LOOPS __attribute__((optimize("no-tree-loop-distribute-patterns", "no-tree-vectorize")))
#else
#define MCU_PLAIN_LOOPS
#endif
