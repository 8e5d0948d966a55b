/* Expands the bytes a0..a3 to *to = (a0, a2) and to[lanes] = (a1, a3). */
MCU_INLINED void mcu_expand_pairs(uint32_t word, uint32_t *to, int32_t lanes)
{
    to[0] = mcu_even_bytes(word);
    to[lanes] = (uint32_t)mcu_odd_bytes(word);
}
