/* acc / 2^bits * multiplier / 2^31 for a multiple acc of 2^bits, and what makes an arithmetic shift by `shift` > 0 the
 * rest of TensorFlow Lite's two roundings, ties toward plus infinity and then ties away from zero; 2 <= bits <= 31. */
static inline int32_t mcu_scale_gemmlowp_raised(int32_t acc, int32_t multiplier, int32_t bits, int32_t shift)
{
    const int32_t high = mcu_multiply_add_high(acc, multiplier, 1 << (bits - 2));
    return (high >> (bits - 1)) + (high >> 31) + (1 << (shift - 1));
}
