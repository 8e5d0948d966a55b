/* acc * multiplier / 2^(shift + 32), rounded once, ties toward plus infinity: the low word of the product cannot change
 * the result. */
static inline int32_t mcu_scale_high(int32_t acc, int32_t multiplier, int32_t shift)
{
    return (mcu_multiply_high(acc, multiplier) + (1 << (shift - 1))) >> shift;
}
