/* Two bytes at any address. */
static inline uint32_t mcu_load_half(const int8_t *from)
{
    typedef struct __attribute__((packed, may_alias)) {
        uint16_t value;
    } unaligned_half;
    return ((const unaligned_half *)from)->value;
}
