/* B^T d of Winograd's F(4x4, 3x3): d of 6 numbers; the results are `stride` apart. */
MCU_INLINED void mcu_winograd4_input(const uint32_t *d, uint32_t *to, int32_t stride)
{
    const uint32_t d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    const uint32_t a = d4 - d2, b = d3 - d1, e = d4 - (d2 << 2), f = d3 - (d1 << 2);
    to[0] = a + ((d0 - d2) << 2);
    to[1 * stride] = e + f;
    to[2 * stride] = e - f;
    to[3 * stride] = a + (b << 1);
    to[4 * stride] = a - (b << 1);
    to[5 * stride] = d5 - d3 - (b << 2);
}
