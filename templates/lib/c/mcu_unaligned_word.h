/* Four bytes of memory of any type, at any address. */
typedef struct __attribute__((packed, may_alias)) {
    uint32_t value;
} mcu_unaligned_word;
