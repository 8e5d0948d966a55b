/* A sum with bytes 0 and 2 added to its two halves. */
static inline uint32_t mcu_add_even_bytes(uint32_t sum, uint32_t bytes)
{
    uint32_t result;
    __asm__("sxtab16 %0, %1, %2" : "=r"(result) : "r"(sum), "r"(bytes));
    return result;
}
