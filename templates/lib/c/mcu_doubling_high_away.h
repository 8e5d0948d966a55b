/* acc * multiplier / 2^31 for |acc| < 2^30, less 1 where it is negative: half of 2^n added and shifted to the right by
 * n, that is rounded with ties away from zero. */
static inline int32_t mcu_doubling_high_away(int32_t acc, int32_t multiplier)
{
    const int32_t high = mcu_doubling_high(acc, multiplier);
    return high + (high >> 31);
}
