/* Four products for one window (words a[0], a[1]) and each of four channels (words w[0] to w[3]). */
MCU_INLINED void mcu_row_step(const uint32_t *a, const mcu_word *w, int32_t *sums)
{
    const int16x2_t x = (int16x2_t)a[0], z = (int16x2_t)a[1];
    const uint32_t w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
    sums[0] = __smlad((int16x2_t)w0, x, sums[0]);
    sums[1] = __smlad((int16x2_t)w1, x, sums[1]);
    sums[2] = __smlad((int16x2_t)w2, x, sums[2]);
    sums[3] = __smlad((int16x2_t)w3, x, sums[3]);
    sums[0] = __smlad(mcu_odd_bytes(w0), z, sums[0]);
    sums[1] = __smlad(mcu_odd_bytes(w1), z, sums[1]);
    sums[2] = __smlad(mcu_odd_bytes(w2), z, sums[2]);
    sums[3] = __smlad(mcu_odd_bytes(w3), z, sums[3]);
}
