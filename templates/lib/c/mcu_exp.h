/* e^x, wrong by less than 1 unit in the last place: x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts of which the
 * first has so few bits that n times it is exact, and a polynomial for e^r. */
MCU_FLOAT static inline float mcu_exp(float x)
{
    if (x < -104.0f)
        return 0.0f;
    const float limited = x < 89.0f ? x : x > 89.0f ? 89.0f : x;
    if (limited != limited)
        return x;
    const int32_t n = mcu_round_even(limited * 1.44269504f);
    const float whole = (float)n;
    const float r = (limited - whole * 0.693359375f) - whole * -2.12194440e-4f;
    float e = 1.9875691500e-4f;
    e = e * r + 1.3981999507e-3f;
    e = e * r + 8.3334519073e-3f;
    e = e * r + 4.1665795894e-2f;
    e = e * r + 1.6666665459e-1f;
    e = e * r + 5.0000001201e-1f;
    e = e * (r * r) + r + 1.0f;
    const int32_t half = n >> 1; /* 2^n in two factors, so that results may be denormal or infinite */
    return e * mcu_power_of_two(half) * mcu_power_of_two(n - half);
}
