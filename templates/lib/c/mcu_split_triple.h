/* The sums P, Q, R, each in -2^20..2^20 - 1, of words[0] = P + 2^11 R and words[1] = Q + 2^21 R, both modulo 2^32: the
 * second yields Q and the lower 11 bits of R; without those the first is P + 2^22 times the rest of R. */
MCU_INLINED void mcu_split_triple(const uint32_t *words, int32_t *sums)
{
    const int32_t q = (int32_t)(words[1] << 11) >> 11;
    const uint32_t low = words[1] - (uint32_t)q;
    const uint32_t rest = words[0] - (low >> 10);
    const int32_t p = (int32_t)(rest << 10) >> 10;
    sums[0] = p;
    sums[1] = q;
    sums[2] = ((int32_t)(rest - (uint32_t)p) >> 11) + (int32_t)(low >> 21);
}
