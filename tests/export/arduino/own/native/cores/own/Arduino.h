/* What sketches use of an Arduino core, printing on the terminal. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
struct Terminal {
    void begin(unsigned long) {}
    void print(const char *text) { printf("%s", text); }
    void print(long value) { printf("%ld", value); }
    void print(double value, int digits) { printf("%.*f", digits, value); }
    void println(const char *text) { printf("%s\n", text); }
    void println(long value) { printf("%ld\n", value); }
    void println(double value, int digits) { printf("%.*f\n", digits, value); }
};
extern Terminal Serial;

void setup();
void loop();
void delay(unsigned long milliseconds);
#endif

#endif
