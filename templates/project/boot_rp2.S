/* The second boot stage of the RP2040: the boot ROM copies these 252 bytes into RAM, looks at the checksum behind them
 * and calls them. They make the flash readable at XIP_BASE with the command that every flash chip knows, 03h: one line,
 * 24 bits of address, 32 bits of data, at a quarter of the processor's clock. Then the program starts as after a reset.
 */
    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ SSI_BASE, 0x18000000
    .equ SSI_CTRLR0, 0x00
    .equ SSI_CTRLR1, 0x04
    .equ SSI_SSIENR, 0x08
    .equ SSI_BAUDR, 0x14
    .equ SSI_SPI_CTRLR0, 0xF4
    .equ CLOCK_DIVIDER, 4
    .equ FRAMES_OF_32_BITS, 31 << 16
    .equ COMMAND_THEN_READ, 3 << 8
    .equ READ_COMMAND, 0x03 << 24
    .equ COMMAND_OF_8_BITS, 2 << 8
    .equ ADDRESS_OF_24_BITS, 6 << 2
    .equ PROGRAM, 0x10000100
    .equ VTOR, 0xE000ED08

    .section .boot, "ax"
    .global boot
    .thumb_func
boot:
    ldr r3, =SSI_BASE
    movs r1, #0
    str r1, [r3, #SSI_SSIENR] /* off, to be configured */
    movs r1, #CLOCK_DIVIDER
    str r1, [r3, #SSI_BAUDR]
    ldr r1, =FRAMES_OF_32_BITS | COMMAND_THEN_READ
    str r1, [r3, #SSI_CTRLR0]
    movs r1, #0 /* one frame at a time */
    str r1, [r3, #SSI_CTRLR1]
    ldr r1, =READ_COMMAND | COMMAND_OF_8_BITS | ADDRESS_OF_24_BITS
    movs r0, #SSI_SPI_CTRLR0
    str r1, [r3, r0]
    movs r1, #1
    str r1, [r3, #SSI_SSIENR]

    ldr r0, =PROGRAM
    ldr r1, =VTOR
    str r0, [r1]
    ldr r1, [r0]
    msr msp, r1
    ldr r1, [r0, #4]
    bx r1
    .ltorg
    .org 252
