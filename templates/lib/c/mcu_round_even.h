/* To the nearest integer, ties to even, for |v| < 2^22: the sum has no bits below 1. */
MCU_FLOAT static inline int32_t mcu_round_even(float v)
{
    mcu_float_bits sum;
    sum.value = v + 12582912.0f; /* 1.5 * 2^23 */
    return (int32_t)(sum.bits - 0x4B400000u);
}
