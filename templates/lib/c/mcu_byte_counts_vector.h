/* The sums of the two nibbles of each byte. */
static inline uint32x4_t mcu_byte_counts_vector(uint32x4_t nibbles)
{
    const uint8x16_t bytes = vreinterpretq_u8_u32(nibbles);
    const uint8x16_t low = vandq_u8(bytes, vdupq_n_u8(15));
    return vreinterpretq_u32_u8(vaddq_u8(low, vshrq_n_u8(bytes, 4)));
}
