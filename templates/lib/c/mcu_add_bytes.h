/* Adds the four bytes of a word to a sum. */
static inline int32_t mcu_add_bytes(uint32_t bytes, int32_t sum)
{
#if defined(__ARM_FEATURE_SIMD32)
    int32_t result;
    __asm__("usada8 %0, %1, %2, %3" : "=r"(result) : "r"(bytes), "r"(0), "r"(sum));
    return result;
#else
    const uint32_t halves = (bytes & 0x00FF00FFu) + ((bytes & 0xFF00FF00u) >> 8);
    return sum + (int32_t)((halves + (halves >> 16)) & 0xFFFFu);
#endif
}
