/* The network as the firmware sees it: memory blocks to fill and to read, and two functions. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    void *(*address)(void);
    uint32_t nbytes;
} Port;

extern const Port program_ports[];         /* the inputs, then the outputs */
extern const uint32_t program_input_count; /* ports before this one are inputs */
extern const uint32_t program_port_count;
extern const uint32_t program_arena_nbytes;
extern const uint8_t program_id[8]; /* tells builds apart */
extern uint32_t program_ticks[];    /* one per call of the hook, one for what follows the last, and two spare */
extern const uint32_t program_tick_count;

int program_init(void);
int program_run(void);

/* What the network calls after each step, once per output of the step. */
void mcu_on_step(int step, const void *data, size_t nbytes);

/* Calls the hook three times, as the network does, so that the cost of a call can be measured. */
void program_call_hook(void);

#endif
