/* acc * multiplier / 2^shift, rounded once, ties toward plus infinity; 1 <= shift <= 62. >> of a negative number is
 * taken to be arithmetic, as every compiler for these cores has it. */
static inline int32_t mcu_scale(int32_t acc, int32_t multiplier, int32_t shift)
{
    return (int32_t)(((int64_t)acc * multiplier + ((int64_t)1 << (shift - 1))) >> shift);
}
