/* The same value, which compilers keep in a register instead of putting it into each instruction that can hold it. */
static inline uint32_t mcu_in_register(uint32_t value)
{
    __asm__("" : "+r"(value));
    return value;
}
