/* Four bytes of memory of any type. */
typedef uint32_t __attribute__((may_alias)) mcu_word;
