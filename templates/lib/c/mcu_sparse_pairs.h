/* The bytes a0..a3 and b0..b3 as four words (a0, b0) to (a3, b3) of 16 bits, `apart` words from one to the next. */
MCU_INLINED void mcu_sparse_pairs(uint32_t a, uint32_t b, uint32_t *to, int32_t apart)
{
    const uint32_t even_a = mcu_even_bytes(a), odd_a = (uint32_t)mcu_odd_bytes(a);
    const uint32_t even_b = mcu_even_bytes(b), odd_b = (uint32_t)mcu_odd_bytes(b);
    to[0] = mcu_pair((int32_t)even_a, (int32_t)even_b);
    to[apart] = mcu_pair((int32_t)odd_a, (int32_t)odd_b);
    to[2 * apart] = mcu_sparse_upper(even_a, even_b);
    to[3 * apart] = mcu_sparse_upper(odd_a, odd_b);
}
