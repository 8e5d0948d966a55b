/* Four products of a row with a channel's weights: of eight bytes of w, four say how far it is from one value to the
 * next, four are the weights. x stays at the last value; w moves on. */
MCU_INLINED void mcu_sparse_row_step(const int8_t **x, const mcu_word **w, int32_t *sum)
{
#if defined(__OPTIMIZE__) && !defined(__clang__)
    uint32_t d, v, p, q, r;
    __asm__ volatile("ldrd %[d], %[v], [%[w]], #8\n\t"
                     "uxtab %[p], %[x], %[d]\n\t"
                     "uxtab %[q], %[p], %[d], ror #8\n\t"
                     "uxtab %[r], %[q], %[d], ror #16\n\t"
                     "uxtab %[x], %[r], %[d], ror #24\n\t"
                     "ldrsb %[p], [%[p]]\n\t"
                     "ldrsb %[q], [%[q]]\n\t"
                     "ldrsb %[r], [%[r]]\n\t"
                     "sxtb16 %[d], %[v]\n\t" /* weights 0 and 2 */
                     "sxtb16 %[v], %[v], ror #8\n\t" /* weights 1 and 3 */
                     "smlabb %[sum], %[p], %[d], %[sum]\n\t"
                     "ldrsb %[p], [%[x]]\n\t"
                     "smlabb %[sum], %[q], %[v], %[sum]\n\t"
                     "smlabt %[sum], %[r], %[d], %[sum]\n\t"
                     "smlabt %[sum], %[p], %[v], %[sum]"
                     : [sum] "+r"(*sum), [x] "+r"(*x), [w] "+r"(*w), [d] "=&r"(d), [v] "=&r"(v), [p] "=&r"(p), [q] "=&r"(q),
                       [r] "=&r"(r)
                     :
                     : "memory");
#else
    const uint8_t *bytes = (const uint8_t *)*w;
    for (int32_t k = 0; k < 4; k++) {
        *x += bytes[k];
        *sum += **x * (int8_t)bytes[k + 4];
    }
    *w += 2;
#endif
}
