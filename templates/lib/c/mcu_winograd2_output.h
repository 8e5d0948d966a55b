/* A^T m of Winograd's F(2x2, 3x3); the results are `stride` apart. */
MCU_INLINED void mcu_winograd2_output(const uint32_t *m, uint32_t *to, int32_t stride)
{
    to[0] = m[0] + m[1] + m[2];
    to[1 * stride] = m[1] - m[2] - m[3];
}
