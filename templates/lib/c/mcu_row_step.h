/* Four products for one window (words a[0] and a[1], expanded as by mcu_expand_mirrored) and each of four channels
 * (words w[0] to w[3]); a and w move on. */
MCU_INLINED void mcu_row_step(const uint32_t **a, const mcu_word **w, int32_t *sums)
{
#if defined(__OPTIMIZE__) && !defined(__clang__)
    uint32_t x, z;
    __asm__ volatile("ldrd %[x], %[z], [%[a]], #8\n\t"
                     "ldmia %[w]!, {r4, r5, r6, r8}\n\t"
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
                     :
                     : "r4", "r5", "r6", "r8", "memory");
#else
    for (int32_t k = 0; k < 4; k++) {
        const uint32_t word = (*w)[k], turned = word >> 8 | word << 24;
        sums[k] = __smlad((int16x2_t)word, (int16x2_t)(*a)[0], sums[k]);
        sums[k] = __smlad(__sxtb16((int8x4_t)turned), (int16x2_t)(*a)[1], sums[k]);
    }
    *a += 2;
    *w += 4;
#endif
}
