/* A^T m of Winograd's F(4x4, 3x3); the results are `stride` apart. */
MCU_INLINED void mcu_winograd4_output(const uint32_t *m, uint32_t *to, int32_t stride)
{
    const uint32_t a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    to[0] = c - a + (m[0] << 1);
    to[1 * stride] = (d << 1) - b;
    to[2 * stride] = (c << 2) - a;
    to[3 * stride] = (d << 3) - b + (m[5] << 3);
}
