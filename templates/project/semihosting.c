#include "semihosting.h"

#define SYS_OPEN 0x01u
#define SYS_CLOSE 0x02u
#define SYS_WRITE 0x05u
#define SYS_READ 0x06u
#define SYS_EXIT_EXTENDED 0x20u
#define REASON_APPLICATION_EXIT 0x20026u

static uint32_t call(uint32_t operation, const uint32_t *arguments) {
    register uint32_t r0 __asm__("r0") = operation;
    register const uint32_t *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

int file_open(const char *path, uint32_t mode) {
    uint32_t length = 0;
    while (path[length] != '\0') {
        length++;
    }
    const uint32_t arguments[3] = {(uint32_t)(uintptr_t)path, mode, length};
    return (int)call(SYS_OPEN, arguments);
}

/* Both calls answer the number of bytes that were NOT transferred. */
int file_read(int handle, void *data, size_t nbytes) {
    const uint32_t arguments[3] = {(uint32_t)handle, (uint32_t)(uintptr_t)data, (uint32_t)nbytes};
    return call(SYS_READ, arguments) == 0u;
}

int file_write(int handle, const void *data, size_t nbytes) {
    const uint32_t arguments[3] = {(uint32_t)handle, (uint32_t)(uintptr_t)data, (uint32_t)nbytes};
    return call(SYS_WRITE, arguments) == 0u;
}

void file_close(int handle) {
    const uint32_t arguments[1] = {(uint32_t)handle};
    (void)call(SYS_CLOSE, arguments);
}

void emulator_exit(uint32_t code) {
    const uint32_t arguments[2] = {REASON_APPLICATION_EXIT, code};
    (void)call(SYS_EXIT_EXTENDED, arguments);
}
