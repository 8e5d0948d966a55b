/* How many bits are set in each nibble of a vector. */
static inline uint32x4_t mcu_nibble_counts_vector(uint32x4_t v)
{
    const uint32x4_t halves = vandq_u32(vshrq_n_u32(v, 1), vdupq_n_u32(0x55555555u));
    const uint32x4_t pairs = vsubq_u32(v, halves), low = vdupq_n_u32(0x33333333u);
    return vaddq_u32(vandq_u32(pairs, low), vandq_u32(vshrq_n_u32(pairs, 2), low));
}
