/* Copies upward, a word at a time where it can; `to` may lie below `from` and overlap it. */
static inline MCU_PLAIN_LOOPS void mcu_move(void *to, const void *from, int32_t nbytes)
{
    uint8_t *d = (uint8_t *)to;
    const uint8_t *s = (const uint8_t *)from;
    if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0u)
        for (; nbytes >= 4; nbytes -= 4, d += 4, s += 4)
            *(mcu_word *)(void *)d = *(const mcu_word *)(const void *)s;
    for (; nbytes > 0; nbytes--)
        *d++ = *s++;
}
