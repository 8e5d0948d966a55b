/* Rows 0 to 2 of G w of Winograd's F(4x4, 3x3), for pairs of numbers: w of three; the results are `stride` apart. */
MCU_INLINED void mcu_winograd4_weights_low(const int16x2_t *w, int16x2_t *to, int32_t stride)
{
    const int16x2_t w0 = w[0], w1 = w[1], ends = __sadd16(w0, w[2]);
    to[0] = w0;
    to[1 * stride] = __sadd16(ends, w1);
    to[2 * stride] = __ssub16(ends, w1);
}
