/* From reset to main, and what happens when something goes wrong. */
#include <stdint.h>

#include "cpu.h"
#include "registers.h"
#include "server.h"
#include "setup.h"
#include "uart.h"

extern uint32_t __data_load[], __data_start[], __data_end[], __bss_start[], __bss_end[];
extern uint32_t __stack_limit[], __stack_top[];

#define NVIC_ISER(i) REGISTER(0xE000E100u + 4u * (i))
#define NVIC_ICER(i) REGISTER(0xE000E180u + 4u * (i))
#define NVIC_ICPR(i) REGISTER(0xE000E280u + 4u * (i))
#define SYST_CSR REGISTER(0xE000E010u)
#define CPUID REGISTER(0xE000ED00u)
#define ICSR REGISTER(0xE000ED04u)
#define VTOR REGISTER(0xE000ED08u)
#define AIRCR REGISTER(0xE000ED0Cu)
#define CCR REGISTER(0xE000ED14u)
#define CFSR REGISTER(0xE000ED28u)
#define BFAR REGISTER(0xE000ED38u)
#define CPACR REGISTER(0xE000ED88u)

#if __ARM_ARCH >= 7
#define NVIC_WORDS 8u
#else
#define NVIC_WORDS 1u
#endif
#define ICSR_PENDSTCLR BIT(25)
#define AIRCR_SYSRESETREQ 0x05FA0004u
#define CCR_LOB BIT(19)
#define CPACR_FPU FIELD(20, 4)
#define PAINT 0xC5C5C5C5u
#define STACKED_LR 5
#define STACKED_PC 6
#define STACKED_NBYTES 32u

int main(void);
void Reset_Handler(void);
void start(void);
void fault_handler(void);
void fault_report(const uint32_t *stacked);
extern uintptr_t painted_at;

uintptr_t painted_at;

uint32_t cpu_id(void) { return CPUID; }

/* It comes some cycles after it was asked for. */
void cpu_reset(void) {
    __asm__ volatile("dsb" ::: "memory");
    AIRCR = AIRCR_SYSRESETREQ;
    for (;;) {
    }
}

static uint32_t exception_number(void) {
    uint32_t number;
    __asm__ volatile("mrs %0, ipsr" : "=r"(number));
    return number;
}

int cpu_is_in_fault(void) { return exception_number() != 0u; }

void cpu_interrupts_off(void) { __asm__ volatile("cpsid i" ::: "memory"); }

void cpu_interrupts_on(void) { __asm__ volatile("cpsie i\n isb" ::: "memory"); }

/* Several STM32 parts read wrong instructions from the flash when they wake while a debugger keeps the clocks on, as one
 * does from the time it programmed the part until the power goes: unless the wfi lies at a multiple of 8 bytes and what
 * follows is fetched anew, with nothing but nops in the words that were read already.
 */
void cpu_sleep(void) { __asm__ volatile("dsb\n .balign 8\n wfi\n isb\n nop\n nop\n nop" ::: "memory"); }

void cpu_interrupt_enable(uint32_t number) {
    NVIC_ICPR(number / 32u) = 1u << (number % 32u);
    NVIC_ISER(number / 32u) = 1u << (number % 32u);
    cpu_interrupts_on();
}

static int clock_is_set;

int cpu_clock_is_set(void) { return clock_is_set; }

uint32_t cpu_clock_hz(void) { return clock_is_set ? CLOCK_HZ : FALLBACK_HZ; }

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

/* A boot loader may have left some on, and its timer. */
static void disable_interrupts(void) {
    SYST_CSR = 0u;
    ICSR = ICSR_PENDSTCLR;
    for (uint32_t i = 0u; i < NVIC_WORDS; i++) {
        NVIC_ICER(i) = 0xFFFFFFFFu;
        NVIC_ICPR(i) = 0xFFFFFFFFu;
    }
}

#if defined(UART_IRQ)
#define VECTORS (16u + UART_IRQ + 1u)
#else
#define VECTORS 16u
#endif

extern void (*const vectors[VECTORS])(void);

#if defined(FAMILY_LPC17)
void __vectors_checksum(void); /* by the linker script; nothing to call */
#define EIGHTH_VECTOR __vectors_checksum
#else
#define EIGHTH_VECTOR fault_handler /* SecureFault */
#endif

/* naked: nothing may go on the stack before a limit that a boot loader may have left is gone. */
__attribute__((naked)) void Reset_Handler(void) {
    __asm__ volatile(
#if __ARM_ARCH >= 8
        "movs r0, #0\n"
        "msr msplim, r0\n"
#endif
        "ldr r0, =start\n"
        "bx r0\n"
        ".ltorg\n");
}

__attribute__((used)) void start(void) {
    enable_extensions();
#if __ARM_ARCH >= 7 || defined(HAS_VTOR)
    VTOR = (uint32_t)(uintptr_t)vectors;
#endif
    __asm__ volatile("dsb\n isb" ::: "memory");
    disable_interrupts();
    initialize_memory();
    clock_is_set = setup();
    (void)main();
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) void (*const vectors[VECTORS])(void) = {
    (void (*)(void))__stack_top,
    Reset_Handler,
    fault_handler, /* NMI */
    fault_handler, /* HardFault */
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    EIGHTH_VECTOR,
    0,
    0,
    0,
    fault_handler, /* SVCall */
    fault_handler, /* DebugMonitor */
    0,
    fault_handler, /* PendSV */
    cpu_tick_wrapped, /* SysTick */
#if defined(UART_IRQ)
    [16u + UART_IRQ] = uart_service,
#endif
};
