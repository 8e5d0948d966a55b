/* Adds bytes 0 and 2 to the two halves of a sum. */
static inline uint32_t mcu_add_even_bytes(uint32_t sum, uint32_t bytes)
{
    __asm__("sxtab16 %0, %0, %1" : "+r"(sum) : "r"(bytes));
    return sum;
}
