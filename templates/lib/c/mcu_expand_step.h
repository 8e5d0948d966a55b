/* Expands the bytes a0..a3 at `from` to to[0] = (a0, a2) and to[1] = (a1 - 256*a0 - 128, a3 - 256*a2 - 128), and adds
 * the bytes at even places to the sum. */
MCU_INLINED void mcu_expand_step(const mcu_unaligned_word *from, uint32_t *to, int32_t *sum)
{
    const uint32_t word = from->value;
    const int16x2_t even = __sxtb16((int8x4_t)word);
    *sum = __smlad(even, 0x00010001, *sum);
    to[0] = (uint32_t)even;
    to[1] = (uint32_t)__ssub16(mcu_odd_bytes(word), (int16x2_t)(((word << 8) & 0xFF00FF00u) | 0x00800080u));
}
