/* Copies upward, sixteen bytes at a time. */
static inline void mcu_copy_bytes(int8_t *to, const int8_t *from, int32_t nbytes)
{
    for (int32_t i = 0; i < nbytes; i += 16) {
        const mve_pred16_t inside = vctp8q((uint32_t)(nbytes - i));
        vstrbq_p_s8(to + i, vldrbq_z_s8(from + i, inside), inside);
    }
}
