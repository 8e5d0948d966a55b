/* Four bytes at any address. */
static inline uint32_t mcu_load_word(const void *from)
{
    return ((const mcu_unaligned_word *)from)->value;
}
