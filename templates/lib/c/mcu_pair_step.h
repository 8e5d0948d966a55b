/* Four products for each of two windows (words a[0], a[1] and a[2], a[3]) and two channels (words w[0] and w[1]).
 * The sums: channel 0 of both windows, then channel 1. */
MCU_INLINED void mcu_pair_step(const uint32_t *a, const mcu_word *w, int32_t *sums)
{
    const int16x2_t x0 = (int16x2_t)a[0], z0 = (int16x2_t)a[1], x1 = (int16x2_t)a[2], z1 = (int16x2_t)a[3];
    const uint32_t w0 = w[0], w1 = w[1];
    sums[0] = __smlad((int16x2_t)w0, x0, sums[0]);
    sums[1] = __smlad((int16x2_t)w0, x1, sums[1]);
    sums[2] = __smlad((int16x2_t)w1, x0, sums[2]);
    sums[3] = __smlad((int16x2_t)w1, x1, sums[3]);
    const int16x2_t v0 = mcu_odd_bytes(w0), v1 = mcu_odd_bytes(w1);
    sums[0] = __smlad(v0, z0, sums[0]);
    sums[1] = __smlad(v0, z1, sums[1]);
    sums[2] = __smlad(v1, z0, sums[2]);
    sums[3] = __smlad(v1, z1, sums[3]);
}
