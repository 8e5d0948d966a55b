/* How many bits are set in each nibble of a word. */
static inline uint32_t mcu_nibble_counts(uint32_t word)
{
    const uint32_t pairs = word - ((word & 0xAAAAAAAAu) >> 1);
    return (pairs & 0x33333333u) + ((pairs & 0xCCCCCCCCu) >> 2);
}
