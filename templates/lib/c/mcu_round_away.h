/* To the nearest integer, ties away from zero, for |v| < 2^31: the fraction is exact. */
MCU_FLOAT static inline int32_t mcu_round_away(float v)
{
    const int32_t whole = (int32_t)v;
    const float rest = v - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}
