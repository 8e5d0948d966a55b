/* G w of Winograd's F(4x4, 3x3) for pairs of numbers: w of three, six results, `stride` apart. */
MCU_INLINED void mcu_winograd4_weights(const int16x2_t *w, int16x2_t *to, int32_t stride)
{
    const int16x2_t w0 = w[0], w1 = w[1], w2 = w[2];
    const int16x2_t odd = __sadd16(w1, w1), ends = __sadd16(w0, w2);
    to[1 * stride] = __sadd16(ends, w1);
    to[2 * stride] = __ssub16(ends, w1);
    const int16x2_t last2 = __sadd16(w2, w2), even = __sadd16(w0, __sadd16(last2, last2));
    to[3 * stride] = __sadd16(even, odd);
    to[4 * stride] = __ssub16(even, odd);
    to[0] = w0;
    to[5 * stride] = w2;
}
