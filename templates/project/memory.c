/* The functions that compilers call by themselves, also without a C library. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t nbytes);
void *memmove(void *to, const void *from, size_t nbytes);
void *memset(void *to, int value, size_t nbytes);

static int both_aligned(const void *a, const void *b) { return (((uintptr_t)a | (uintptr_t)b) & 3u) == 0u; }

static void copy_forward(uint8_t *to, const uint8_t *from, size_t nbytes) {
    if (both_aligned(to, from)) {
        for (; nbytes >= 4u; nbytes -= 4u, to += 4, from += 4) {
            *(uint32_t *)(void *)to = *(const uint32_t *)(const void *)from;
        }
    }
    while (nbytes-- > 0u) {
        *to++ = *from++;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t nbytes) {
    copy_forward(to, from, nbytes);
    return to;
}

void *memmove(void *to, const void *from, size_t nbytes) {
    uint8_t *d = to;
    const uint8_t *s = from;
    if ((uintptr_t)d <= (uintptr_t)s) {
        copy_forward(d, s, nbytes);
        return to;
    }
    while (nbytes-- > 0u) {
        d[nbytes] = s[nbytes];
    }
    return to;
}

void *memset(void *to, int value, size_t nbytes) {
    uint8_t *d = to;
    while (nbytes-- > 0u) {
        *d++ = (uint8_t)value;
    }
    return to;
}
