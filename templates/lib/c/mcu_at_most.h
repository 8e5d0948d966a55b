/* A number from flash, which may be damaged, brought to 0 to `most`. */
static inline int32_t mcu_at_most(int32_t n, int32_t most)
{
    return n < 0 ? 0 : n < most ? n : most;
}
