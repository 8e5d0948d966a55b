/* The sums of the two nibbles of each byte. */
static inline uint32_t mcu_byte_counts(uint32_t nibbles)
{
#if defined(__thumb2__)
    uint32_t counts, spare;
    __asm__("and %1, %2, #0xF0F0F0F0\n\t"
            "bic %0, %2, #0xF0F0F0F0\n\t"
            "add %0, %0, %1, lsr #4"
            : "=&r"(counts), "=&r"(spare) : "r"(nibbles));
    return counts;
#else
    return (nibbles & 0x0F0F0F0Fu) + ((nibbles >> 4) & 0x0F0F0F0Fu);
#endif
}
