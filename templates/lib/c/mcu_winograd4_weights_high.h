/* Rows 3 to 5 of G w of Winograd's F(4x4, 3x3), for pairs of numbers: w of three; the results are `stride` apart. */
MCU_INLINED void mcu_winograd4_weights_high(const int16x2_t *w, int16x2_t *to, int32_t stride)
{
    const int16x2_t w2 = w[2], twice = __sadd16(w2, w2), even = __sadd16(w[0], __sadd16(twice, twice));
    const int16x2_t odd = __sadd16(w[1], w[1]);
    to[0] = __sadd16(even, odd);
    to[1 * stride] = __ssub16(even, odd);
    to[2 * stride] = w2;
}
