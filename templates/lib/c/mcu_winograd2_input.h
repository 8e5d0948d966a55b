/* B^T d of Winograd's F(2x2, 3x3): d of 4 numbers; the results are `stride` apart. */
MCU_INLINED void mcu_winograd2_input(const uint32_t *d, uint32_t *to, int32_t stride)
{
    const uint32_t d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    to[0] = d0 - d2;
    to[1 * stride] = d1 + d2;
    to[2 * stride] = d2 - d1;
    to[3 * stride] = d1 - d3;
}
