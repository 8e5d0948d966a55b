/* The high word of a product, plus a number: with zero point and rounding constant in it, the shift that follows is all
 * that requantization still needs. */
static inline int32_t mcu_multiply_add_high(int32_t a, int32_t b, int32_t added)
{
#if defined(__ARM_FEATURE_DSP)
    int32_t sum;
    __asm__("smmla %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(added));
    return sum;
#else
    return (int32_t)(((int64_t)a * b) >> 32) + added;
#endif
}
