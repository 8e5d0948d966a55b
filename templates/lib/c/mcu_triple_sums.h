/* Sums of products of three windows with four channels' weights, in pairs of words that hold three sums each.
 * For each step: x has two words that pack the values p, q, r of three windows as p + 2^11 r and q + 2^21 r; w has four
 * weights. `w` begins with the eight words that the sums start from, two for each channel; `sums` gets eight such
 * words. Armv7-M; written in assembly since it needs every register. */
static MCU_ASSEMBLY void mcu_triple_sums(
    const uint32_t *x MCU_IN_ASSEMBLY, const mcu_word *w MCU_IN_ASSEMBLY,
    uint32_t steps MCU_IN_ASSEMBLY, uint32_t *sums MCU_IN_ASSEMBLY)
{
    __asm__("push {r3-r11, lr}\n\t"
            "add r12, r0, r2, lsl #3\n\t" /* the end of x */
            "push {r12}\n\t"
            "rsb r2, r2, #0\n\t"
            "and r2, r2, #7\n\t" /* as many steps of the first round are left out, */
            "movs r3, #52\n\t"   /* each of 52 bytes */
            "adr r12, 1f\n\t"
            "mla r12, r2, r3, r12\n\t"
            "ldm r1!, {r4-r11}\n\t"
            "subs r1, #1\n\t"
            "mov pc, r12\n\t"
            ".balign 4\n"
            "1:\n\t"
            ".rept 8\n\t"
            "ldrd r2, r3, [r0], #8\n\t"
            "ldrsb.w r12, [r1, #1]\n\t" /* channels 0 and 1 */
            "ldrsb.w lr, [r1, #2]\n\t"
            "mla r4, r12, r2, r4\n\t"
            "mla r5, r12, r3, r5\n\t"
            "mla r6, lr, r2, r6\n\t"
            "mla r7, lr, r3, r7\n\t"
            "ldrsb.w r12, [r1, #3]\n\t" /* channels 2 and 3 */
            "ldrsb.w lr, [r1, #4]!\n\t"
            "mla r8, r12, r2, r8\n\t"
            "mla r9, r12, r3, r9\n\t"
            "mla r10, lr, r2, r10\n\t"
            "mla r11, lr, r3, r11\n\t"
            ".endr\n\t"
            "ldr r12, [sp]\n\t"
            "cmp r0, r12\n\t"
            "bne 1b\n\t"
            "pop {r2, r3}\n\t"
            "stm r3, {r4-r11}\n\t"
            "pop {r4-r11, pc}");
}
