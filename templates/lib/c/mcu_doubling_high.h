/* acc * multiplier / 2^31 for |acc| < 2^30, ties toward plus infinity: the upper half of the doubled product, and the
 * uppermost bit of its lower half. */
static inline int32_t mcu_doubling_high(int32_t acc, int32_t multiplier)
{
    const int64_t product = (int64_t)(acc * 2) * multiplier;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
}
