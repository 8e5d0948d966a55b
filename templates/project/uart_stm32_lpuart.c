/* The low-power UART of the STM32 families: the same registers, and a divider in steps of 1/256. */
#define BAUD_STEPS 256u
#include "uart_stm32_v2.c"
