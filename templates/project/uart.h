/* A serial line, byte by byte. One of the files uart_*.c implements it. */
#ifndef UART_H
#define UART_H

#include <stdint.h>

void uart_init(void);
int uart_receive(void); /* the next byte, or -1 when none is waiting */
void uart_wait(void);   /* returns when a byte may be waiting */
void uart_send(uint8_t byte);

#endif
