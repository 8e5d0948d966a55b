/* v >> shift within -128..127. Compilers find SSAT only where no loop is around. `shift` is a literal, 1 to 31. */
#if defined(__ARM_FEATURE_SAT)
#define mcu_shift_saturate8(v, shift) \
    __extension__({ \
        int32_t saturated_; \
        __asm__("ssat %0, #8, %1, asr #" #shift : "=r"(saturated_) : "r"(v)); \
        saturated_; \
    })
#else
static inline int32_t mcu_shift_saturate8(int32_t v, int32_t shift)
{
    const int32_t shifted = v >> shift;
    return shifted < -128 ? -128 : shifted > 127 ? 127 : shifted;
}
#endif
