/* Adds bytes 1 and 3 to the two halves of a sum. */
static inline uint32_t mcu_add_odd_bytes(uint32_t sum, uint32_t bytes)
{
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(sum) : "r"(bytes));
    return sum;
}
