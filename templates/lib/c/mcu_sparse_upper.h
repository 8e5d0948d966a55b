/* The upper halves of two words as one word, that of `low` in its lower half. */
static inline uint32_t mcu_sparse_upper(uint32_t low, uint32_t high)
{
    uint32_t pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(high), "r"(low));
    return pair;
}
