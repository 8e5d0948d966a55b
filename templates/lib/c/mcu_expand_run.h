/* Expands a run of at least four values, as mcu_expand_mirrored does, to words of which every third is this window's.
 * The last word ends with the run, wherever it begins. Returns the place behind the words. */
MCU_INLINED uint32_t *mcu_expand_run(const int8_t *x, int32_t count, uint32_t *to, int32_t *sums)
{
    int32_t sum = *sums;
    for (; count >= 16; count -= 16, x += 16, to += 24) {
        mcu_expand_mirrored(mcu_load_word(x), to, 3, &sum);
        mcu_expand_mirrored(mcu_load_word(x + 4), to + 6, 3, &sum);
        mcu_expand_mirrored(mcu_load_word(x + 8), to + 12, 3, &sum);
        mcu_expand_mirrored(mcu_load_word(x + 12), to + 18, 3, &sum);
    }
    for (; count >= 4; count -= 4, x += 4, to += 6)
        mcu_expand_mirrored(mcu_load_word(x), to, 3, &sum);
    if (count > 0) {
        mcu_expand_mirrored(mcu_load_word(x + count - 4), to, 3, &sum);
        to += 6;
    }
    *sums = sum;
    return to;
}
