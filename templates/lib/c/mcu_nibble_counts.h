/* How many bits are set in each nibble of a word. In assembly since compilers shift apart from adding. */
static inline uint32_t mcu_nibble_counts(uint32_t word)
{
#if defined(__thumb2__)
    uint32_t counts, spare;
    __asm__("and %1, %2, #0xAAAAAAAA\n\t"
            "sub %0, %2, %1, lsr #1\n\t"
            "and %1, %0, #0xCCCCCCCC\n\t"
            "bic %0, %0, #0xCCCCCCCC\n\t"
            "add %0, %0, %1, lsr #2"
            : "=&r"(counts), "=&r"(spare) : "r"(word));
    return counts;
#else
    const uint32_t pairs = word - ((word >> 1) & 0x55555555u);
    return (pairs & 0x33333333u) + ((pairs >> 2) & 0x33333333u);
#endif
}
