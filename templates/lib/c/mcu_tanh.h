/* Hyperbolic tangent, wrong by less than 1.3 units in the last place: a polynomial around zero, by e^2x further out. */
MCU_FLOAT static inline float mcu_tanh(float x)
{
    const float magnitude = x < 0.0f ? -x : x;
    if (magnitude < 0.625f) {
        const float square = x * x;
        float t = -5.70498872745e-3f;
        t = t * square + 2.06390887954e-2f;
        t = t * square - 5.37397155531e-2f;
        t = t * square + 1.33314422036e-1f;
        t = t * square - 3.33332819422e-1f;
        return t * square * x + x;
    }
    const float far = 1.0f - 2.0f / (mcu_exp(magnitude + magnitude) + 1.0f);
    return x < 0.0f ? -far : far;
}
