/* Four sums as one vector. */
static inline int32x4_t mcu_vector(int32_t a, int32_t b, int32_t c, int32_t d)
{
    const int32x4_t v = {a, b, c, d};
    return v;
}
