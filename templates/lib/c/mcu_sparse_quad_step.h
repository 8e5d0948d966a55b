/* Four products of an expanded row, pairs (a0, a2) and (a1, a3), with the weights of each of four channels, some blocks
 * further on. Of two channels c0, c1 the weights at even and at odd places are words of 256*c1 + c0: sums are
 * T0 + 256*T1, then T0, and the same for the other two. */
MCU_INLINED void mcu_sparse_quad_step(const uint32_t **a, const uint8_t **skipped, const mcu_word **w, int32_t *sums)
{
#if defined(__OPTIMIZE__) && !defined(__clang__)
    uint32_t x, z;
    __asm__ volatile("ldrb %[x], [%[i]], #1\n\t"
                     "add %[a], %[a], %[x], lsl #3\n\t"
                     "ldrd %[x], %[z], [%[a]], #8\n\t"
                     "ldmia %[w]!, {r4, r5, r6, r8}\n\t"
                     "smlad %[s0], r4, %[x], %[s0]\n\t"
                     "sxtb16 r4, r4\n\t"
                     "smlad %[s2], r6, %[x], %[s2]\n\t"
                     "sxtb16 r6, r6\n\t"
                     "smlad %[s0], r5, %[z], %[s0]\n\t"
                     "sxtb16 r5, r5\n\t"
                     "smlad %[s2], r8, %[z], %[s2]\n\t"
                     "sxtb16 r8, r8\n\t"
                     "smlad %[s1], r4, %[x], %[s1]\n\t"
                     "smlad %[s3], r6, %[x], %[s3]\n\t"
                     "smlad %[s1], r5, %[z], %[s1]\n\t"
                     "smlad %[s3], r8, %[z], %[s3]"
                     : [s0] "+r"(sums[0]), [s1] "+r"(sums[1]), [s2] "+r"(sums[2]), [s3] "+r"(sums[3]), [a] "+r"(*a),
                       [w] "+r"(*w), [i] "+r"(*skipped), [x] "=&r"(x), [z] "=&r"(z)
                     :
                     : "r4", "r5", "r6", "r8", "memory");
#else
    const uint32_t *from = *a + 2 * *(*skipped)++;
    for (int32_t k = 0; k < 4; k++) {
        const uint32_t word = (*w)[k];
        sums[k / 2 * 2] = __smlad((int16x2_t)word, (int16x2_t)from[k % 2], sums[k / 2 * 2]);
        sums[k / 2 * 2 + 1] = __smlad((int16x2_t)mcu_even_bytes(word), (int16x2_t)from[k % 2], sums[k / 2 * 2 + 1]);
    }
    *a = from + 2;
    *w += 4;
#endif
}
