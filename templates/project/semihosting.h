/* Services of the emulator: files of the host, and the end of the program. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stddef.h>
#include <stdint.h>

#define FILE_READ 1u  /* "rb" */
#define FILE_WRITE 5u /* "wb" */

int file_open(const char *path, uint32_t mode); /* a handle, or -1 */
/* Both answer 1 when all bytes were transferred, else 0. */
int file_read(int handle, void *data, size_t nbytes);
int file_write(int handle, const void *data, size_t nbytes);
void file_close(int handle);
void emulator_exit(uint32_t code);

#endif
