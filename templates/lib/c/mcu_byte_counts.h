/* The sums of the two nibbles of each byte. */
static inline uint32_t mcu_byte_counts(uint32_t nibbles)
{
    return (nibbles & 0x0F0F0F0Fu) + ((nibbles & 0xF0F0F0F0u) >> 4);
}
