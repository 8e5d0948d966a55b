/* Reads "h1 [h2]" per line, in hexadecimal, and prints the class of each instruction. */
#include <stdio.h>

#include "instruction.h"

int main(void) {
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned h1 = 0, h2 = 0;
        const int count = sscanf(line, "%x %x", &h1, &h2);
        const uint8_t code[4] = {(uint8_t)h1, (uint8_t)(h1 >> 8), (uint8_t)h2, (uint8_t)(h2 >> 8)};
        Instruction d;
        decode(&d, 0, code, count == 2 ? 4 : 2, false);
        puts(class_name(d.class));
    }
    return 0;
}
