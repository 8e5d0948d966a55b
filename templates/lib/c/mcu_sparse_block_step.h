/* Four products of an expanded row, pairs (a0, a2) and (a1, a3), with a word of weights, some blocks further on. */
MCU_INLINED void mcu_sparse_block_step(const uint32_t **a, const uint8_t **skipped, const mcu_word **w, int32_t *sum)
{
    const uint32_t *from = *a + 2 * *(*skipped)++;
    const uint32_t word = *(*w)++;
    *sum = __smlad((int16x2_t)mcu_even_bytes(word), (int16x2_t)from[0], *sum);
    *sum = __smlad(mcu_odd_bytes(word), (int16x2_t)from[1], *sum);
    *a = from + 2;
}
