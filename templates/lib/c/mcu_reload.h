/* A value from memory, not from a register: where all registers are needed for what is used more often. */
static inline int32_t mcu_reload(const int32_t *value)
{
    int32_t loaded;
    __asm__ volatile("ldr %0, %1" : "=r"(loaded) : "m"(*value));
    return loaded;
}
