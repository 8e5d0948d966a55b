/* A sum with bytes 1 and 3 added to its two halves. */
static inline uint32_t mcu_add_odd_bytes(uint32_t sum, uint32_t bytes)
{
    uint32_t result;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(sum), "r"(bytes));
    return result;
}
