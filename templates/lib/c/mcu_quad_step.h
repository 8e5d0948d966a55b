/* One product for each of four channels: the bytes at x with the int16 pairs w[0] (channels 0, 2) and w[1] (1, 3). */
MCU_INLINED void mcu_quad_step(const int8_t *x, const mcu_word *w, int32_t *sums)
{
    const uint32_t bytes = ((const mcu_unaligned_word *)x)->value;
    const int32_t even = __sxtb16((int8x4_t)bytes), odd = mcu_odd_bytes(bytes);
    const int32_t w02 = (int32_t)w[0], w13 = (int32_t)w[1];
    sums[0] = __smlabb(even, w02, sums[0]);
    sums[2] = __smlatt(even, w02, sums[2]);
    sums[1] = __smlabb(odd, w13, sums[1]);
    sums[3] = __smlatt(odd, w13, sums[3]);
}
