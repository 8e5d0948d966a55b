/* From reset to main, and what happens when something goes wrong. */
#include <stdint.h>

#include "cpu.h"
#include "server.h"

extern uint32_t __data_load[], __data_start[], __data_end[], __bss_start[], __bss_end[];
extern uint32_t __stack_limit[], __stack_top[];

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define NVIC_ISER(i) REGISTER(0xE000E100u + 4u * (i))
#define NVIC_ICPR(i) REGISTER(0xE000E280u + 4u * (i))
#define CPUID REGISTER(0xE000ED00u)
#define VTOR REGISTER(0xE000ED08u)
#define CCR REGISTER(0xE000ED14u)
#define CFSR REGISTER(0xE000ED28u)
#define BFAR REGISTER(0xE000ED38u)
#define CPACR REGISTER(0xE000ED88u)

#define TICKS_MASK 0xFFFFFFu
#define SYST_ENABLE_CPU_CLOCK 5u
#define CCR_LOB (1u << 19)
#define CPACR_FPU (0xFu << 20)
#define PAINT 0xC5C5C5C5u
#define STACKED_LR 5
#define STACKED_PC 6
#define STACKED_NBYTES 32u

int main(void);
void Reset_Handler(void);
void fault_handler(void);
void fault_report(const uint32_t *stacked);
extern uintptr_t painted_at;

uintptr_t painted_at;

uint32_t cpu_id(void) { return CPUID; }

static uint32_t exception_number(void) {
    uint32_t number;
    __asm__ volatile("mrs %0, ipsr" : "=r"(number));
    return number;
}

void cpu_interrupt_enable(uint32_t number) {
    __asm__ volatile("cpsid i" ::: "memory");
    NVIC_ISER(number / 32u) = 1u << (number % 32u);
}

void cpu_interrupt_wait(uint32_t number) {
    if (exception_number() == 0u) {
        __asm__ volatile("dsb\n wfi" ::: "memory");
    }
    NVIC_ICPR(number / 32u) = 1u << (number % 32u);
}

void cpu_ticks_start(void) {
    SYST_CSR = 0u;
    SYST_RVR = TICKS_MASK;
    SYST_CVR = 0u;
    SYST_CSR = SYST_ENABLE_CPU_CLOCK;
}

uint32_t cpu_ticks(void) { return TICKS_MASK - SYST_CVR; }

/* naked: what a compiler would put on the stack here could be painted over. */
__attribute__((naked)) void cpu_stack_paint(void) {
    __asm__ volatile(
        ".syntax unified\n"
        "mov r0, sp\n"
        "ldr r1, =painted_at\n"
        "str r0, [r1]\n"
        "ldr r1, =__stack_limit\n"
        "ldr r2, =%c0\n"
        "1: cmp r1, r0\n"
        "bhs 2f\n"
        "str r2, [r1]\n"
        "adds r1, #4\n"
        "b 1b\n"
        "2: bx lr\n"
        ".ltorg\n"
        :
        : "i"(PAINT));
}

uint32_t cpu_stack_nbytes(void) {
    const volatile uint32_t *p = __stack_limit;
    while ((uintptr_t)p < painted_at && *p == PAINT) {
        p++;
    }
    return (uint32_t)(painted_at - (uintptr_t)p);
}

int cpu_stack_is_full(void) { return *__stack_limit != PAINT; }

/* The stack pointer may be what is broken: the report gets a fresh stack. */
__attribute__((naked)) void fault_handler(void) {
    __asm__ volatile(
        "mrs r0, msp\n"
        "ldr r1, =__stack_top\n"
        "msr msp, r1\n"
        "ldr r1, =fault_report\n"
        "bx r1\n"
        ".ltorg\n");
}

__attribute__((used)) void fault_report(const uint32_t *stacked) {
    uint32_t report[5] = {exception_number(), 0u, 0u, 0u, 0u};
    uintptr_t sp = (uintptr_t)stacked;
    if (sp >= (uintptr_t)__stack_limit && sp <= (uintptr_t)__stack_top - STACKED_NBYTES) {
        report[1] = stacked[STACKED_PC];
        report[2] = stacked[STACKED_LR];
    }
#if __ARM_ARCH >= 7
    report[3] = CFSR;
    report[4] = BFAR;
#endif
    server_report_fault(report, 5u);
}

static void enable_extensions(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= CPACR_FPU;
#endif
#if defined(__ARM_FEATURE_MVE)
    CCR |= CCR_LOB;
#endif
}

/* noinline: the compiler may use vector instructions here, and they must have been enabled before. */
__attribute__((noinline)) static void initialize_memory(void) {
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to < __data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = __bss_start; to < __bss_end;) {
        *to++ = 0u;
    }
}

extern void (*const vectors[16])(void);

void Reset_Handler(void) {
    enable_extensions();
#if __ARM_ARCH >= 7
    VTOR = (uint32_t)(uintptr_t)vectors;
#endif
    __asm__ volatile("dsb\n isb" ::: "memory");
    initialize_memory();
    (void)main();
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) void (*const vectors[16])(void) = {
    (void (*)(void))__stack_top,
    Reset_Handler,
    fault_handler, /* NMI */
    fault_handler, /* HardFault */
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    fault_handler, /* SecureFault */
    0,
    0,
    0,
    fault_handler, /* SVCall */
    fault_handler, /* DebugMonitor */
    0,
    fault_handler, /* PendSV */
    fault_handler, /* SysTick */
};
