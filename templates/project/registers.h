/* How the drivers name registers and their fields. scripts/check_registers.py compares these names, addresses and bits
 * with the vendors' descriptions: PERIPHERAL_REGISTER is a register, PERIPHERAL_REGISTER_FIELD a field of it, and an x
 * or n in a name stands for the letter of a port or the number of a pin.
 */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define BIT(position) (1u << (position))
#define FIELD(lowest, width) (((1u << (width)) - 1u) << (lowest))

/* A number at its place in a field. */
#define IN_FIELD(field, number) ((uint32_t)(number) * ((field) & (~(field) + 1u)))
#define SET_FIELD(name, field, number) ((name) = ((name) & ~(field)) | IN_FIELD(field, number))

/* Oscillators take some milliseconds to start, phase-locked loops less. What is not ready by then does not exist. */
#define WAIT_TRIES 100000u

/* Waits until the bits of `mask` are `wanted`; 0 when they do not come. */
static inline int wait_for(const volatile uint32_t *address, uint32_t mask, uint32_t wanted) {
    for (uint32_t i = 0u; i < WAIT_TRIES; i++) {
        if ((*address & mask) == wanted) {
            return 1;
        }
    }
    return 0;
}

#endif
