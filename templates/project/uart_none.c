/* For boards without a driver yet: the firmware links, and its size can be seen. */
#include "uart.h"

void uart_init(void) {}

int uart_receive(void) { return -1; }

void uart_wait(void) {}

void uart_send(uint8_t byte) { (void)byte; }
