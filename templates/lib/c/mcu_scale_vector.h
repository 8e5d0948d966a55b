/* acc * multiplier / 2^(32 - shift), rounded once, ties toward plus infinity, for a negative shift. */
static inline int32x4_t mcu_scale_vector(int32x4_t acc, int32x4_t multiplier, int32x4_t shift)
{
    return vrshlq_s32(vmulhq_s32(acc, multiplier), shift);
}
