/* For inner loops that need nearly all registers: gcc's first scheduler moves loads up and makes it spill. */
#if defined(__GNUC__) && !defined(__clang__)
#define MCU_NO_EARLY_SCHEDULE __attribute__((noinline, optimize("no-schedule-insns")))
#else
#define MCU_NO_EARLY_SCHEDULE __attribute__((noinline))
#endif
