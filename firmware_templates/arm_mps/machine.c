/* Arm's MPS2 and MPS3 boards with a Cortex-M: the UART of the CMSDK, SysTick, and faults.
 *
 * The board file says where the UART is (EK_UART_BASE, EK_UART_IRQ: its receive interrupt) and how
 * many instructions QEMU counts for one tick of SysTick (EK_TICK_INSTRUCTIONS_X4: four times as
 * many, as they need not be whole).
 */
#include "machine.h"

#include "semihosting.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define UART_DATA REGISTER(EK_UART_BASE + 0x00u)
#define UART_STATE REGISTER(EK_UART_BASE + 0x04u)
#define UART_CONTROL REGISTER(EK_UART_BASE + 0x08u)
#define UART_INTERRUPT REGISTER(EK_UART_BASE + 0x0Cu)
#define UART_DIVIDER REGISTER(EK_UART_BASE + 0x10u)
enum { STATE_TX_FULL = 1, STATE_RX_FULL = 2 };
enum { CONTROL_TX = 1, CONTROL_RX = 2, CONTROL_RX_INTERRUPT = 8 };
enum { INTERRUPT_RX = 2 };

#define SYSTICK_CONTROL REGISTER(0xE000E010u)
#define SYSTICK_RELOAD REGISTER(0xE000E014u)
#define SYSTICK_VALUE REGISTER(0xE000E018u)
#define SYSTICK_TOP 0xFFFFFFu
enum { SYSTICK_ON = 1, SYSTICK_INTERRUPT = 2, SYSTICK_PROCESSOR_CLOCK = 4 };

#define NVIC_ENABLE REGISTER(0xE000E100u + EK_UART_IRQ / 32u * 4u)
#define COPROCESSORS REGISTER(0xE000ED88u)
#define FPU_AND_VECTORS (0xFu << 20)
#define FAULT_STATUS REGISTER(0xE000ED28u)
#define HARD_FAULT_STATUS REGISTER(0xE000ED2Cu)
#define FAULT_ADDRESS REGISTER(0xE000ED38u)

static volatile uint32_t systick_laps;

void machine_reset(void);
void machine_hard_fault(void);
void machine_hard_fault_report(const uint32_t *frame, uint32_t exception_return);
void machine_systick_interrupt(void);
void machine_uart_interrupt(void);

/* Handlers have a stack of their own: a stack that has overflown can still be reported. */
__attribute__((naked)) void machine_reset(void) {
    __asm__ volatile("ldr r0, =machine_stack_end\n"
                     "msr psp, r0\n"
                     "movs r0, #2\n" /* SPSEL */
                     "msr control, r0\n"
                     "isb\n"
                     "b machine_enter\n");
}

_Noreturn void machine_enter(void);

_Noreturn void machine_enter(void) {
    /* Before the first instruction that the compiler may choose from the FPU's or Helium's. */
    COPROCESSORS |= FPU_AND_VECTORS;
    __asm__ volatile("dsb\nisb" ::: "memory");
#if __ARM_ARCH >= 8
    __asm__ volatile("msr psplim, %0" ::"r"(machine_stack_begin));
#endif
    machine_start();
}

__attribute__((naked)) void machine_hard_fault(void) {
    __asm__ volatile("tst lr, #4\n"
                     "ite eq\n"
                     "mrseq r0, msp\n"
                     "mrsne r0, psp\n"
                     "mov r1, lr\n"
                     "b machine_hard_fault_report\n");
}

void machine_hard_fault_report(const uint32_t *frame, uint32_t exception_return) {
    enum { FRAME_WORDS = 8 };
    uint32_t values[FRAME_WORDS + 5] = {0};
    /* A frame that could not be stored on a stack that was full must not be read either. */
    const bool stored = (uintptr_t)frame >= (uintptr_t)machine_stack_begin &&
                        (uintptr_t)(frame + FRAME_WORDS) <= (uintptr_t)machine_handler_stack_end;
    for (int i = 0; i < FRAME_WORDS && stored; i++) {
        values[i] = frame[i];
    }
    values[FRAME_WORDS] = (uint32_t)(uintptr_t)frame;
    values[FRAME_WORDS + 1] = exception_return;
    values[FRAME_WORDS + 2] = FAULT_STATUS;
    values[FRAME_WORDS + 3] = HARD_FAULT_STATUS;
    values[FRAME_WORDS + 4] = FAULT_ADDRESS;
    machine_fault(stored ? "HardFault" : "HardFault: the stack is full",
                  "r0 r1 r2 r3 r12 lr pc psr sp exc_return cfsr hfsr bfar", values);
}

static void unexpected(void) {
    static const uint32_t none[1];
    machine_fault("an interrupt or exception that nobody enabled", "", none);
}

typedef void (*handler)(void);

/* What the processor reads at reset, and at each exception. */
static const struct {
    const uint32_t *stack;
    handler system[15];
    handler interrupts[EK_UART_IRQ + 1];
} vectors __attribute__((section(".vectors"), used)) = {
    .stack = machine_handler_stack_end,
    .system =
        {
            machine_reset,
            unexpected,
            machine_hard_fault,
            machine_hard_fault,
            machine_hard_fault,
            machine_hard_fault,
            machine_hard_fault,
            unexpected,
            unexpected,
            unexpected,
            unexpected,
            unexpected,
            unexpected,
            unexpected,
            machine_systick_interrupt,
        },
    .interrupts = {[EK_UART_IRQ] = machine_uart_interrupt},
};

void machine_systick_interrupt(void) {
    systick_laps = systick_laps + 1u;
}

void machine_uart_interrupt(void) {
    while ((UART_STATE & STATE_RX_FULL) != 0) {
        /* Cleared before the byte is taken: the next byte sets it again. */
        UART_INTERRUPT = INTERRUPT_RX;
        machine_received((uint8_t)UART_DATA);
    }
}

void machine_init(void) {
    SYSTICK_RELOAD = SYSTICK_TOP;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = SYSTICK_ON | SYSTICK_INTERRUPT | SYSTICK_PROCESSOR_CLOCK;
    UART_DIVIDER = 16;
    UART_CONTROL = CONTROL_TX | CONTROL_RX | CONTROL_RX_INTERRUPT;
    NVIC_ENABLE = 1u << EK_UART_IRQ % 32u;
    machine_unlock();
}

void machine_send(uint8_t byte) {
    while ((UART_STATE & STATE_TX_FULL) != 0) {
    }
    UART_DATA = byte;
}

void machine_lock(void) {
    __asm__ volatile("cpsid i" ::: "memory");
}

void machine_unlock(void) {
    __asm__ volatile("cpsie i\nisb" ::: "memory");
}

void machine_sleep(void) {
    __asm__ volatile("dsb\nwfi" ::: "memory");
}

uint64_t machine_ticks(void) {
    uint32_t laps;
    uint32_t value;
    do {
        laps = systick_laps;
        value = SYSTICK_VALUE;
    } while (laps != systick_laps);
    /* Counts down from the top, a lap has one more tick than that; right after the start it reads
     * 0. */
    const uint64_t ticks =
        (uint64_t)laps * (SYSTICK_TOP + 1u) + (value == 0 ? 0u : SYSTICK_TOP - value);
    return ticks * EK_TICK_INSTRUCTIONS_X4 / 4u;
}

int32_t semihosting_call(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}
