/* 1 / (1 + e^-x), wrong by less than 2.4 units in the last place. */
MCU_FLOAT static inline float mcu_sigmoid(float x)
{
    const float small = mcu_exp(x < 0.0f ? x : -x);
    return (x < 0.0f ? small : 1.0f) / (1.0f + small);
}
