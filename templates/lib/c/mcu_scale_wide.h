/* acc * multiplier / 2^shift, rounded once, ties toward plus infinity; the product has no more than 63 bits. */
static inline int32_t mcu_scale_wide(int64_t acc, int32_t multiplier, int32_t shift)
{
    return (int32_t)((acc * multiplier + ((int64_t)1 << (shift - 1))) >> shift);
}
