/* The natural logarithm of a normal number x > 0, wrong by less than 0.8 units in the last place: x = 2^n m with m
 * around 1, and a polynomial for ln m. */
MCU_FLOAT static inline float mcu_log(float x)
{
    mcu_float_bits mantissa;
    mantissa.value = x;
    int32_t n = (int32_t)(mantissa.bits >> 23) - 126;
    mantissa.bits = (mantissa.bits & 0x007FFFFFu) | 0x3F000000u; /* in [0.5, 1) */
    float m = mantissa.value;
    if (m < 0.707106781f) {
        n -= 1;
        m = m + m;
    }
    m = m - 1.0f;
    const float square = m * m;
    const float whole = (float)n;
    float log = 7.0376836292e-2f;
    log = log * m - 1.1514610310e-1f;
    log = log * m + 1.1676998740e-1f;
    log = log * m - 1.2420140846e-1f;
    log = log * m + 1.4249322787e-1f;
    log = log * m - 1.6668057665e-1f;
    log = log * m + 2.0000714765e-1f;
    log = log * m - 2.4999993993e-1f;
    log = log * m + 3.3333331174e-1f;
    log = log * m * square;
    log = log + whole * -2.12194440e-4f;
    log = log - 0.5f * square;
    return (m + log) + whole * 0.693359375f;
}
