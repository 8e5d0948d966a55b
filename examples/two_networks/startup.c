/* The start of a program on a Cortex-M4 whose memory an emulator has loaded, with printf over semihosting. */
#include <stdint.h>
#include <stdlib.h>

#define CPACR (*(volatile uint32_t *)0xE000ED88u)

extern uint32_t stack_end[];
void initialise_monitor_handles(void);
int main(void);
void reset(void);

void reset(void)
{
    CPACR |= 0xFu << 20; /* the floating-point unit, which is off after a reset */
    __asm volatile("dsb\n\tisb" ::: "memory");
    initialise_monitor_handles();
    exit(main());
}

static void fault(void)
{
    _Exit(1);
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[6])(void);
} vectors = {stack_end, {reset, fault, fault, fault, fault, fault}};
