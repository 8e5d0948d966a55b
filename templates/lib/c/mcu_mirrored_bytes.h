/* (a1 - 256*a0 - 128, a3 - 256*a2 - 128) for the signed bytes a0..a3: in each half a byte of ~a0 above one of
 * a1 ^ 128. */
static inline uint32_t mcu_mirrored_bytes(uint32_t word)
{
    uint32_t swapped;
    __asm__("rev16 %0, %1" : "=r"(swapped) : "r"(word));
    return swapped ^ 0xFF80FF80u;
}
