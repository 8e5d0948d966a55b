/* acc * multiplier / 2^(31 - shift) in the two roundings of TensorFlow Lite's reference kernels; the shift is
 * negative. */
static inline int32x4_t mcu_scale_gemmlowp_vector(int32x4_t acc, int32x4_t multiplier, int32x4_t shift)
{
    const int32x4_t high = vqrdmulhq_s32(acc, multiplier);
    return vrshlq_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), shift);
}
