/* Steps of inner loops, written out several times: inlined at any optimization, calls without, which saves stack. */
#if defined(__GNUC__) && defined(__OPTIMIZE__)
#define MCU_INLINED static inline __attribute__((always_inline))
#else
#define MCU_INLINED static inline
#endif
