/* Inlined where the number of bytes is known, which leaves a few loads and stores. */
static inline MCU_PLAIN_LOOPS void mcu_copy(void *to, const void *from, int32_t nbytes)
{
    uint8_t *d = (uint8_t *)to;
    const uint8_t *s = (const uint8_t *)from;
    for (; nbytes >= 4; nbytes -= 4, d += 4, s += 4)
        ((mcu_unaligned_word *)d)->value = ((const mcu_unaligned_word *)s)->value;
    for (; nbytes > 0; nbytes--)
        *d++ = *s++;
}
