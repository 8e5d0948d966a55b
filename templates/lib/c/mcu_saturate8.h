/* v within -128..127. */
static inline int32_t mcu_saturate8(int32_t v)
{
#if defined(__ARM_FEATURE_SAT)
    int32_t saturated;
    __asm__("ssat %0, #8, %1" : "=r"(saturated) : "r"(v));
    return saturated;
#else
    return v < -128 ? -128 : v > 127 ? 127 : v;
#endif
}
