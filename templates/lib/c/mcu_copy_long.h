/* Copies rows of images, four words at a time. */
static inline MCU_PLAIN_LOOPS void mcu_copy_long(void *to, const void *from, int32_t nbytes)
{
    mcu_unaligned_word *d = (mcu_unaligned_word *)to;
    const mcu_unaligned_word *s = (const mcu_unaligned_word *)from;
    for (; nbytes >= 16; nbytes -= 16, d += 4, s += 4) {
        const uint32_t w0 = s[0].value, w1 = s[1].value, w2 = s[2].value, w3 = s[3].value;
        d[0].value = w0;
        d[1].value = w1;
        d[2].value = w2;
        d[3].value = w3;
    }
    mcu_copy(d, s, nbytes);
}
