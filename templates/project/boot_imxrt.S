/* What the boot ROM of an i.MX RT reads at the start of a serial NOR flash (IMXRT1060RM, chapter System Boot): how to
 * read this flash, with the command EBh on four lines at 100 MHz, and 4 KB further on where the program is. As long as
 * the chip's own memory is the only one that is used there is nothing else to be said.
 */
    .syntax unified
    .thumb

    .equ FLASH_BASE, 0x60000000
    .equ TAG, 0x42464346 /* FCFB */
    .equ VERSION, 0x56010400
    .equ SAMPLED_BY_STROBE_PAD, 1
    .equ SERIAL_NOR, 1
    .equ FOUR_LINES, 4
    .equ CLOCK_100_MHZ, 6

    /* Two steps of a sequence in a word: operand, number of lines as a power of two, command. */
    .equ COMMAND, 0x01 << 10
    .equ ADDRESS, 0x02 << 10
    .equ DUMMY, 0x0C << 10
    .equ READ, 0x09 << 10
    .equ ON_4_LINES, 2 << 8
    .equ FAST_READ_QUAD, 0xEB
    .equ BITS_24, 24
    .equ CYCLES_6, 6
    .equ READ_4, 4

    .section .boot, "a"
    .global boot
boot:
    .word TAG, VERSION, 0
    .byte SAMPLED_BY_STROBE_PAD, 3, 3, 0 /* cycles from and to the chip select */
    .org 0x44
    .byte SERIAL_NOR, FOUR_LINES, CLOCK_100_MHZ, 0
    .org 0x50
    .word FLASH_NBYTES
    .org 0x80
    .word (ADDRESS | ON_4_LINES | BITS_24) << 16 | COMMAND | FAST_READ_QUAD
    .word (READ | ON_4_LINES | READ_4) << 16 | DUMMY | ON_4_LINES | CYCLES_6
    .org 0x1C0
    .word 256, 4096 /* bytes of a page, of a sector */
    .org 0x200

    .org 0x1000
image_vector_table:
    .word 0x402000D1 /* tag D1h, 32 bytes, version 4.0 */
    .word vectors, 0, 0
    .word boot_data, image_vector_table, 0, 0
boot_data:
    .word FLASH_BASE, FLASH_NBYTES, 0, 0
    .org 0x2000
