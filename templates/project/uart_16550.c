/* The UART of NXP's LPC17xx: a 16550, registers at every fourth address. */
#include "cpu.h"
#include "registers.h"
#include "uart.h"

#define UART_RBR REGISTER(UART_BASE + 0x00u)
#define UART_THR REGISTER(UART_BASE + 0x00u)
#define UART_DLL REGISTER(UART_BASE + 0x00u)
#define UART_DLM REGISTER(UART_BASE + 0x04u)
#define UART_IER REGISTER(UART_BASE + 0x04u)
#define UART_FCR REGISTER(UART_BASE + 0x08u)
#define UART_LCR REGISTER(UART_BASE + 0x0Cu)
#define UART_LSR REGISTER(UART_BASE + 0x14u)
#define UART_FDR REGISTER(UART_BASE + 0x28u)

#define UART_IER_RBRIE BIT(0)
#define UART_FCR_FIFOEN BIT(0)
#define UART_FCR_RXFIFORES BIT(1)
#define UART_FCR_TXFIFORES BIT(2)
#define UART_FCR_RXTRIGLVL FIELD(6, 2)
#define UART_LCR_WLS FIELD(0, 2)
#define UART_LCR_DLAB BIT(7)
#define UART_LSR_RDR BIT(0)
#define UART_LSR_THRE BIT(5)
#define UART_FDR_DIVADDVAL FIELD(0, 4)
#define UART_FDR_MULVAL FIELD(4, 4)

#define WLS_8_BITS 3u
#define TRIGGER_AT_4_BYTES 1u

/* Near enough above 20 MHz. The internal oscillator's 4 MHz cannot make 115,200 baud: the host hears nothing then. */
#define DIVIDER(hz) (((hz) / 16u + UART_BAUD / 2u) / UART_BAUD)

void uart_init(void) {
    uint32_t divider = cpu_clock_is_set() ? DIVIDER(UART_CLOCK_HZ) : DIVIDER(FALLBACK_HZ);
    UART_LCR = UART_LCR_DLAB;
    UART_DLL = divider % 256u;
    UART_DLM = divider / 256u;
    UART_FDR = IN_FIELD(UART_FDR_DIVADDVAL, 0u) | IN_FIELD(UART_FDR_MULVAL, 1u); /* no fraction */
    UART_LCR = IN_FIELD(UART_LCR_WLS, WLS_8_BITS);
    UART_FCR = UART_FCR_FIFOEN | UART_FCR_RXFIFORES | UART_FCR_TXFIFORES |
               IN_FIELD(UART_FCR_RXTRIGLVL, TRIGGER_AT_4_BYTES);
    UART_IER = UART_IER_RBRIE; /* and where no more bytes come, after the time of four */
    cpu_interrupt_enable(UART_IRQ);
}

void uart_service(void) {
    while ((UART_LSR & UART_LSR_RDR) != 0u) {
        uart_store((uint8_t)UART_RBR);
    }
}

void uart_send(uint8_t byte) {
    while ((UART_LSR & UART_LSR_THRE) == 0u) {
    }
    UART_THR = byte;
}
