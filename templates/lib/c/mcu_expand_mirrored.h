/* Expands the bytes a0..a3 to *to = (a0, a2) and to[lanes] = (a1 - 256*a0 - 128, a3 - 256*a2 - 128), and adds the bytes
 * at even places to the sum. */
MCU_INLINED void mcu_expand_mirrored(uint32_t word, uint32_t *to, int32_t lanes, int32_t *sum)
{
    const uint32_t even = mcu_even_bytes(word);
    *sum = __smlad((int16x2_t)even, 0x00010001, *sum);
    to[0] = even;
    to[lanes] = mcu_mirrored_bytes(word);
}
