/* A^T m of Winograd's F(4x4, 3x3) with weights as mcu_winograd4_weights_low and _high make them. The results are
 * `stride` apart, and numbers 1, 2 and 3 still to be multiplied by 2, 4 and 4. */
MCU_INLINED void mcu_winograd4_output_deferred(const uint32_t *m, uint32_t *to, int32_t stride)
{
    const uint32_t a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    to[0] = c - (a << 2) + ((m[0] + (m[0] << 1)) << 1);
    to[1 * stride] = d - (b << 1);
    to[2 * stride] = c - a;
    to[3 * stride] = (d << 1) - b + ((m[5] + (m[5] << 1)) << 1);
}
