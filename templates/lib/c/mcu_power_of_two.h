/* 2^n for -126 <= n <= 127. */
MCU_FLOAT static inline float mcu_power_of_two(int32_t n)
{
    mcu_float_bits power;
    power.bits = (uint32_t)(n + 127) << 23;
    return power.value;
}
