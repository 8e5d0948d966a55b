/* Two 16-bit values as one word, the first in the lower half. */
static inline uint32_t mcu_pair(int32_t low, int32_t high)
{
#if defined(__ARM_FEATURE_DSP)
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(low), "r"(high));
    return pair;
#else
    return ((uint32_t)low & 0xFFFFu) | (uint32_t)high << 16;
#endif
}
