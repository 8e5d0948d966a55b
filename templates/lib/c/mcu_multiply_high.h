/* The high word of a product. */
static inline int32_t mcu_multiply_high(int32_t a, int32_t b)
{
#if defined(__ARM_ARCH_6M__)
    /* Four short products: there is no long multiplication here. */
    const uint32_t al = (uint32_t)a & 0xFFFFu, bl = (uint32_t)b & 0xFFFFu;
    const int32_t ah = a >> 16, bh = b >> 16;
    const int32_t low = (int32_t)al * bh, high = ah * (int32_t)bl;
    const uint32_t carry = ((al * bl) >> 16) + ((uint32_t)low & 0xFFFFu) + ((uint32_t)high & 0xFFFFu);
    return ah * bh + (low >> 16) + (high >> 16) + (int32_t)(carry >> 16);
#else
    return (int32_t)(((int64_t)a * b) >> 32);
#endif
}
