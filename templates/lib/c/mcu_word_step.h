/* Four products for one window, whose next four values are expanded here, and each of four channels (words w[0] to
 * w[3]); a and w move on. `mirror` is 0xFF80FF80. */
MCU_INLINED void mcu_word_step(const int8_t **a, const mcu_word **w, uint32_t mirror, int32_t *sums)
{
#if defined(__OPTIMIZE__) && !defined(__clang__)
    uint32_t x, z;
    __asm__ volatile("ldr %[x], [%[a]], #4\n\t"
                     "ldmia %[w]!, {r4, r5, r6, r8}\n\t"
                     "rev16 %[z], %[x]\n\t"
                     "sxtb16 %[x], %[x]\n\t" /* (a0, a2) */
                     "eor %[z], %[z], %[mirror]\n\t" /* (a1 - 256*a0 - 128, a3 - 256*a2 - 128) */
                     "smlad %[s0], r4, %[x], %[s0]\n\t" /* (256*w1 + u0, 256*w3 + u2) by (a0, a2) */
                     "sxtb16 r4, r4, ror #8\n\t" /* (w1, w3), while the next one is multiplied */
                     "smlad %[s1], r5, %[x], %[s1]\n\t"
                     "sxtb16 r5, r5, ror #8\n\t"
                     "smlad %[s2], r6, %[x], %[s2]\n\t"
                     "sxtb16 r6, r6, ror #8\n\t"
                     "smlad %[s3], r8, %[x], %[s3]\n\t"
                     "sxtb16 r8, r8, ror #8\n\t"
                     "smlad %[s0], r4, %[z], %[s0]\n\t"
                     "smlad %[s1], r5, %[z], %[s1]\n\t"
                     "smlad %[s2], r6, %[z], %[s2]\n\t"
                     "smlad %[s3], r8, %[z], %[s3]"
                     : [s0] "+r"(sums[0]), [s1] "+r"(sums[1]), [s2] "+r"(sums[2]), [s3] "+r"(sums[3]), [a] "+r"(*a),
                       [w] "+r"(*w), [x] "=&r"(x), [z] "=&r"(z)
                     : [mirror] "r"(mirror)
                     : "r4", "r5", "r6", "r8", "memory");
#else
    (void)mirror;
    for (int32_t k = 0; k < 4; k++) {
        const uint32_t word = (*w)[k];
        sums[k] += (*a)[0] * (int32_t)(word & 0xFFu) + ((*a)[1] - 128) * (int8_t)(word >> 8);
        sums[k] += (*a)[2] * (int32_t)(word >> 16 & 0xFFu) + ((*a)[3] - 128) * (int8_t)(word >> 24);
    }
    *a += 4;
    *w += 4;
#endif
}
