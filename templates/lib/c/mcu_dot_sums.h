/* Adds the products of a row with four outputs' weights to four sums, two products a multiplication. For each step of
 * four values: x has three words, and w a word of weights for each output.
 * With the bytes v0..v3 of a word and P = v0 + 2^16 v2, Q = v1 + 2^16 v3 it is P + 2^8 Q, so that modulo 2^32
 *     word * x[0] + Q * x[1] = P * (a2 + 2^16 a0) + Q * (a3 + 2^16 a1)
 *     for x[0] = a2 + 2^16 a0 and x[1] = a3 + 2^16 a1 - 2^8 x[0]:
 * its upper half is v0 a0 + v1 a1 + v2 a2 + v3 a3, its lower half v0 a2 + v1 a3. The bytes are weights + 128; x[2]
 * takes that back, and moves the lower half to 0..65535. Armv7-M; in assembly since it needs every register. */
static MCU_ASSEMBLY void mcu_dot_sums(
    const uint32_t *x MCU_IN_ASSEMBLY, const mcu_word *w MCU_IN_ASSEMBLY,
    uint32_t steps MCU_IN_ASSEMBLY, int32_t *sums MCU_IN_ASSEMBLY)
{
    __asm__("push {r3-r11, lr}\n\t"
            "add r11, r2, r2, lsl #1\n\t"
            "add r11, r0, r11, lsl #2\n\t" /* the end of x */
            "ldm r3, {r4-r7}\n\t"
            "rsb r2, r2, #0\n\t"
            "and r2, r2, #3\n\t" /* as many steps of the first round are left out, */
            "movs r3, #76\n\t"   /* each of 76 bytes */
            "adr r12, 1f\n\t"
            "mla r12, r2, r3, r12\n\t"
            "mov lr, #0x00ff00ff\n\t"
            "mov pc, r12\n\t"
            ".balign 4\n"
            "1:\n\t"
            ".rept 4\n\t"
            "ldm.w r0!, {r8-r10}\n\t"
            "ldm.w r1!, {r2, r3}\n\t" /* outputs 0 and 1 */
            "and.w r12, lr, r2, lsr #8\n\t"
            "mla r2, r2, r8, r10\n\t"
            "mla r2, r12, r9, r2\n\t"
            "add.w r4, r4, r2, asr #16\n\t"
            "and.w r12, lr, r3, lsr #8\n\t"
            "mla r3, r3, r8, r10\n\t"
            "mla r3, r12, r9, r3\n\t"
            "add.w r5, r5, r3, asr #16\n\t"
            "ldm.w r1!, {r2, r3}\n\t" /* outputs 2 and 3 */
            "and.w r12, lr, r2, lsr #8\n\t"
            "mla r2, r2, r8, r10\n\t"
            "mla r2, r12, r9, r2\n\t"
            "add.w r6, r6, r2, asr #16\n\t"
            "and.w r12, lr, r3, lsr #8\n\t"
            "mla r3, r3, r8, r10\n\t"
            "mla r3, r12, r9, r3\n\t"
            "add.w r7, r7, r3, asr #16\n\t"
            ".endr\n\t"
            "cmp r0, r11\n\t"
            "bne 1b\n\t"
            "pop {r3}\n\t"
            "stm r3, {r4-r7}\n\t"
            "pop {r4-r11, pc}");
}
