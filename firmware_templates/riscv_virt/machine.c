/* QEMU's RISC-V `virt` machine, bare: a 16550 UART behind the PLIC, the counter of retired
 * instructions, and traps. */
#include "machine.h"

#include "semihosting.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define UART(number) (*(volatile uint8_t *)(0x10000000u + (number)))
enum { DATA = 0, INTERRUPT_ENABLE = 1, FIFO_CONTROL = 2, LINE_CONTROL = 3, LINE_STATUS = 5 };
enum {
    ENABLE_RECEIVED = 1,
    FIFO_OF_14 = 0xC1,
    EIGHT_BITS = 3,
    STATUS_RECEIVED = 1,
    STATUS_TX_EMPTY = 32
};
#define UART_INTERRUPT 10u

#define PLIC_PRIORITY(source) REGISTER(0x0C000000u + 4u * (source))
#define PLIC_ENABLE REGISTER(0x0C002000u)
#define PLIC_THRESHOLD REGISTER(0x0C200000u)
#define PLIC_CLAIM REGISTER(0x0C200004u)

#define MACHINE_EXTERNAL 0x8000000Bu /* mcause */
#define MIE_EXTERNAL (1u << 11)
#define MSTATUS_MIE 8u

/* pmpcfg: readable, executable, a naturally aligned power of two, locked: for machine mode too. */
#define PROTECT_READ_EXECUTE 0x9Du

extern const uint8_t machine_code_origin[];
extern const uint8_t machine_code_length[];

enum { FRAME_WORDS = 32 };

void machine_reset(void);
void machine_trap_entry(void);
void machine_trap(const uint32_t *frame, uint32_t cause);

/* The machine starts at the first byte of its memory. */
__attribute__((naked, section(".vectors"))) void machine_reset(void) {
    __asm__ volatile(".option push\n"
                     ".option norelax\n"
                     "la t0, machine_trap_entry\n"
                     "csrw mtvec, t0\n"
                     "la t0, machine_handler_stack_end\n"
                     "csrw mscratch, t0\n"
                     "la sp, machine_stack_end\n"
                     ".option pop\n"
                     "tail machine_start\n");
}

/* Traps have a stack of their own (mscratch while none is handled): a stack that has overflown can
 * still be reported. All registers are stored, as a fault shows them: x1 at word 1, and so on; pc
 * at word 0. */
__attribute__((naked, aligned(4))) void machine_trap_entry(void) {
    __asm__ volatile(
        "csrrw sp, mscratch, sp\n"
        "addi sp, sp, -128\n"
        ".irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,"
        "30,31\n"
        "sw x\\n, 4*\\n(sp)\n"
        ".endr\n"
        "csrr t0, mscratch\n"
        "sw t0, 8(sp)\n"
        "csrr t0, mepc\n"
        "sw t0, 0(sp)\n"
        "mv a0, sp\n"
        "csrr a1, mcause\n"
        "call machine_trap\n"
        ".irp n, 1,5,6,7,10,11,12,13,14,15,16,17,28,29,30,31\n"
        "lw x\\n, 4*\\n(sp)\n"
        ".endr\n"
        "addi sp, sp, 128\n"
        "csrrw sp, mscratch, sp\n"
        "mret\n");
}

static _Noreturn void fault(const uint32_t *frame, uint32_t cause) {
    uint32_t values[FRAME_WORDS + 2];
    for (int i = 0; i < FRAME_WORDS; i++) {
        values[i] = frame[i];
    }
    values[FRAME_WORDS] = cause;
    __asm__ volatile("csrr %0, mtval" : "=r"(values[FRAME_WORDS + 1]));
    machine_fault(
        "exception",
        "pc ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 "
        "t3 t4 t5 t6 mcause mtval",
        values);
}

void machine_trap(const uint32_t *frame, uint32_t cause) {
    if (cause != MACHINE_EXTERNAL) {
        fault(frame, cause);
    }
    const uint32_t source = PLIC_CLAIM;
    while ((UART(LINE_STATUS) & STATUS_RECEIVED) != 0) {
        machine_received(UART(DATA));
    }
    PLIC_CLAIM = source;
}

/* Flash cannot be written by a stray store, nor by a stack that has outgrown the memory behind it.
 */
static void protect_code(void) {
    const uint32_t origin = (uint32_t)(uintptr_t)machine_code_origin;
    const uint32_t length = (uint32_t)(uintptr_t)machine_code_length;
    const uint32_t range = origin >> 2 | ((length >> 3) - 1u);
    __asm__ volatile("csrw pmpaddr0, %0\ncsrw pmpcfg0, %1" ::"r"(range), "r"(PROTECT_READ_EXECUTE));
}

void machine_init(void) {
    protect_code();
    UART(LINE_CONTROL) = EIGHT_BITS;
    UART(FIFO_CONTROL) = FIFO_OF_14;
    UART(INTERRUPT_ENABLE) = ENABLE_RECEIVED;
    PLIC_PRIORITY(UART_INTERRUPT) = 1;
    PLIC_THRESHOLD = 0;
    PLIC_ENABLE = 1u << UART_INTERRUPT;
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_EXTERNAL));
    machine_unlock();
}

void machine_send(uint8_t byte) {
    while ((UART(LINE_STATUS) & STATUS_TX_EMPTY) == 0) {
    }
    UART(DATA) = byte;
}

void machine_lock(void) {
    __asm__ volatile("csrc mstatus, %0" ::"r"(MSTATUS_MIE) : "memory");
}

void machine_unlock(void) {
    __asm__ volatile("csrs mstatus, %0" ::"r"(MSTATUS_MIE) : "memory");
}

void machine_sleep(void) {
    __asm__ volatile("wfi" ::: "memory");
}

uint64_t machine_ticks(void) {
    uint32_t high;
    uint32_t low;
    uint32_t again;
    do {
        __asm__ volatile("csrr %0, minstreth\ncsrr %1, minstret\ncsrr %2, minstreth"
                         : "=&r"(high), "=&r"(low), "=&r"(again));
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

/* The instruction between two others that do nothing is how the emulator knows it from a
 * breakpoint. They must be of full size, and on one page. */
__attribute__((noinline)) int32_t semihosting_call(uint32_t operation, const void *argument) {
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".balign 16\n"
                     ".option push\n"
                     ".option norvc\n"
                     "slli zero, zero, 0x1f\n"
                     "ebreak\n"
                     "srai zero, zero, 7\n"
                     ".option pop\n"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return (int32_t)a0;
}
