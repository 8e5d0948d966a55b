/* Three values as two words: p + 2^11 r and q + 2^21 r. */
MCU_INLINED void mcu_pack_triple(int32_t p, int32_t q, int32_t r, uint32_t *to)
{
    to[0] = (uint32_t)p + ((uint32_t)r << 11);
    to[1] = (uint32_t)q + ((uint32_t)r << 21);
}
