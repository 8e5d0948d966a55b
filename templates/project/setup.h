/* Clock, access to memory and pins of a part. One of the files setup_*.c implements it, with the constants SETUP_* that
 * the board file gives. Nothing is waited for without end: where the wanted clock does not come, the part stays on its
 * internal oscillator, and everything else works as before, only slower.
 */
#ifndef SETUP_H
#define SETUP_H

/* 1: the processor runs with CLOCK_HZ, and the serial line gets UART_CLOCK_HZ; 0: with FALLBACK_HZ, both. */
int setup(void);

/* SETUP_OSCILLATOR: what drives the phase-locked loop. */
#define OSCILLATOR_INTERNAL 0
#define OSCILLATOR_CRYSTAL 1
#define OSCILLATOR_BYPASS 2 /* a clock signal from outside */

#endif
