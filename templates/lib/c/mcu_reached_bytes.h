/* The bytes of `wanted` in whose place a signed byte of x is at least as large as that of `least`; elsewhere 0. */
static inline uint32_t mcu_reached_bytes(uint32_t x, uint32_t least, uint32_t wanted)
{
    uint32_t result;
    __asm__("ssub8 %0, %1, %2\n\t"
            "sel %0, %3, %4"
            : "=&r"(result) : "r"(x), "r"(least), "r"(wanted), "r"(0));
    return result;
}
