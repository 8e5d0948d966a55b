/* Bytes 0 and 2 of a word, sign-extended to 16 bits. */
static inline uint32_t mcu_even_bytes(uint32_t word)
{
    return (uint32_t)__sxtb16((int8x4_t)word);
}
