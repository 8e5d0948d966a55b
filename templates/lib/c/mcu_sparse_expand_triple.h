/* The bytes a0..a3 of each word of three runs as (a0, a2) of the first, second and third run, then (a1, a3) of each; in
 * assembly, since compilers do not store several words at once. Runs may begin anywhere; there is at least a word. */
static MCU_ASSEMBLY void mcu_sparse_expand_triple(
    const int8_t *first MCU_IN_ASSEMBLY, const int8_t *second MCU_IN_ASSEMBLY, const int8_t *third MCU_IN_ASSEMBLY,
    uint32_t *to MCU_IN_ASSEMBLY, int32_t words MCU_IN_ASSEMBLY)
{
    __asm__("ldr r12, [sp]\n\t"
            "push {r4-r9}\n\t"
            "add r12, r0, r12, lsl #2\n"
            "1:\n\t"
            "ldr r4, [r0], #4\n\t"
            "ldr r5, [r1], #4\n\t"
            "ldr r6, [r2], #4\n\t"
            "sxtb16 r7, r4, ror #8\n\t"
            "sxtb16 r4, r4\n\t"
            "sxtb16 r8, r5, ror #8\n\t"
            "sxtb16 r5, r5\n\t"
            "sxtb16 r9, r6, ror #8\n\t"
            "sxtb16 r6, r6\n\t"
            "stmia r3!, {r4-r9}\n\t"
            "cmp r0, r12\n\t"
            "bne 1b\n\t"
            "pop {r4-r9}\n\t"
            "bx lr");
}
