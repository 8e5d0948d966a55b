/* A serial line. The receive interrupt fills a ring that holds a whole frame, and the host sends one frame at a time:
 * no byte is lost, however long the processor does something else. One of the files uart_*.c drives the hardware.
 */
#ifndef UART_H
#define UART_H

#include <stdint.h>

/* A frame is a payload, less than 40 bytes around it, and one byte for each 254 of these. */
#define RING_NBYTES (MAX_PAYLOAD + MAX_PAYLOAD / 254u + 48u)

/* By uart.c. */
int uart_receive(void);         /* the next byte, or -1 when none is waiting */
void uart_wait(void);           /* returns when a byte may be waiting */
void uart_store(uint8_t byte);  /* puts a byte into the ring; drops it when the ring is full */

/* By the driver. uart_send waits for room however long that takes: without a working line there is nothing else to do,
 * and the host, whose waits end, says that nothing answers.
 */
void uart_init(void);
void uart_send(uint8_t byte);
void uart_service(void); /* the receive interrupt: stores what has arrived */

#endif
