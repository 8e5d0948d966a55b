/* acc * multiplier / 2^(shift + 31) for |acc| < 2^30 in the two roundings of TensorFlow Lite's reference kernels: ties
 * toward plus infinity, then ties away from zero. */
static inline int32_t mcu_scale_gemmlowp_high(int32_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t high = mcu_doubling_high(acc, multiplier);
    return (high + (high >> 31) + (1 << (shift - 1))) >> shift;
}
