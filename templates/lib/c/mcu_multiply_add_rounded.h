/* The high word of a product, rounded, plus a number: the first rounding of TensorFlow Lite's reference kernels, and
 * what is added for the second. */
static inline int32_t mcu_multiply_add_rounded(int32_t a, int32_t b, int32_t added)
{
#if defined(__ARM_FEATURE_DSP)
    int32_t sum;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(added));
    return sum;
#else
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32) + added;
#endif
}
