/* v within low..high. */
static inline int32_t mcu_clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}
