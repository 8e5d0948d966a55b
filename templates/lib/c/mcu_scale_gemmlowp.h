/* acc * multiplier / 2^shift in the two roundings of TensorFlow Lite's reference kernels: ties toward plus infinity,
 * then ties away from zero. */
static inline int32_t mcu_scale_gemmlowp(int32_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift < 31 ? 31 - shift : 0;
    const int32_t right = shift > 31 ? shift - 31 : 0;
    const int64_t product = (int64_t)((uint64_t)acc << left) * multiplier;
    const int32_t high = (int32_t)((product + ((int64_t)1 << 30)) >> 31);
    const int32_t mask = (int32_t)(((int64_t)1 << right) - 1);
    const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
    return (high >> right) + ((high & mask) > threshold ? 1 : 0);
}
