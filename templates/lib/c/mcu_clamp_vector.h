/* v + zero within low..high. */
static inline int32x4_t mcu_clamp_vector(int32x4_t v, int32_t zero, int32_t low, int32_t high)
{
    return vminq_s32(vmaxq_s32(vaddq_n_s32(v, zero), vdupq_n_s32(low)), vdupq_n_s32(high));
}
