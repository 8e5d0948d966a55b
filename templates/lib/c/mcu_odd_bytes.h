/* Bytes 1 and 3 of a word, sign-extended; compilers do not merge the rotation into the instruction. */
static inline int16x2_t mcu_odd_bytes(uint32_t word)
{
    int16x2_t odd;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(word));
    return odd;
}
