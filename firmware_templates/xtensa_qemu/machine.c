/* QEMU's Xtensa `kc705` with a core of the family LX7, in the call0 ABI: a 16550 UART, the cycle
 * counter, exceptions, and the simulator calls for files.
 *
 * The offsets of the exception vectors are those of the core that the board file names.
 */
#include "machine.h"

#include <string.h>

#define UART(number) (*(volatile uint32_t *)(0xFD050020u + 4u * (number)))
enum { DATA = 0, INTERRUPT_ENABLE = 1, FIFO_CONTROL = 2, LINE_CONTROL = 3, LINE_STATUS = 5 };
enum {
    ENABLE_RECEIVED = 1,
    FIFO_OF_14 = 0xC1,
    EIGHT_BITS = 3,
    STATUS_RECEIVED = 1,
    STATUS_TX_EMPTY = 32
};
#define UART_INTERRUPT_BIT 1u

/* QEMU's clock of this machine is 40 MHz, and -icount shift=0 gives each instruction 1 ns. */
#define INSTRUCTIONS_PER_TICK 25u
#define LEVEL_1_INTERRUPT 4u /* exccause; a debug exception is given 63 */

void machine_exception(uint32_t *frame);

/* The frame of an exception, in words: a0 to a15, then pc, ps, sar. */
enum { FRAME_WORDS = 19 };

/* The vectors, at their offsets, all lead to one handler: this firmware knows but one level of
 * interrupts. Exceptions have a stack of their own: a stack that has overflown can still be
 * reported. */
__asm__(".section .vectors, \"ax\"\n"
        ".balign 4096\n"
        "machine_vectors:\n"
        "constant_vectors: .word machine_vectors\n"
        "constant_stack: .word machine_stack_end\n"
        "constant_frame: .word machine_handler_stack_end - 80\n"
        "constant_start: .word machine_start\n"
        "constant_exception: .word machine_exception\n"
        ".org machine_vectors + 0x280\n" /* the debug exception: how the compiler traps */
        "  wsr.excsave1 a0\n"
        "  .byte 0x00, 0xb6, 0x03\n" /* rsr.epc6 a0, which the lx106 does not have */
        "  wsr.epc1 a0\n"
        "  movi a0, 63\n"
        "  wsr.exccause a0\n"
        "  j machine_vector\n"
        ".org machine_vectors + 0x300\n" /* from kernel mode */
        "  wsr.excsave1 a0\n"
        "  j machine_vector\n"
        ".org machine_vectors + 0x340\n" /* from user mode */
        "  wsr.excsave1 a0\n"
        "  j machine_vector\n"
        ".org machine_vectors + 0x3c0\n" /* inside an exception */
        "  wsr.excsave1 a0\n"
        "  j machine_vector\n"
        ".org machine_vectors + 0x400\n"
        ".global machine_reset\n"
        "machine_reset:\n"
        "  l32r a2, constant_vectors\n"
        "  wsr.vecbase a2\n"
        "  movi a2, 0x2f\n" /* user vector, all interrupts held back, no exception, no windows */
        "  wsr.ps a2\n"
        "  rsync\n"
        "  l32r a1, constant_stack\n"
        "  l32r a0, constant_start\n"
        "  jx a0\n"
        ".balign 4\n"
        "machine_vector:\n"
        "  l32r a0, constant_frame\n"
        "  s32i a1, a0, 4\n"
        "  mov a1, a0\n"
        "  rsr.excsave1 a0\n"
        "  s32i a0, a1, 0\n"
        "  .irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "  s32i a\\n, a1, 4*\\n\n"
        "  .endr\n"
        "  rsr.epc1 a2\n"
        "  s32i a2, a1, 64\n"
        "  rsr.ps a2\n"
        "  s32i a2, a1, 68\n"
        "  rsr.sar a2\n"
        "  s32i a2, a1, 72\n"
        "  mov a2, a1\n"
        "  l32r a0, constant_exception\n"
        "  callx0 a0\n"
        "  l32i a2, a1, 72\n"
        "  wsr.sar a2\n"
        "  .irp n, 15,14,13,12,11,10,9,8,7,6,5,4,3,2,0\n"
        "  l32i a\\n, a1, 4*\\n\n"
        "  .endr\n"
        "  l32i a1, a1, 4\n"
        "  rfe\n"
        ".text\n");

void machine_exception(uint32_t *frame) {
    uint32_t cause;
    __asm__ volatile("rsr.exccause %0" : "=r"(cause));
    if (cause != LEVEL_1_INTERRUPT) {
        uint32_t values[FRAME_WORDS + 3];
        memcpy(values, frame, FRAME_WORDS * sizeof values[0]);
        values[FRAME_WORDS] = cause;
        __asm__ volatile("rsr.excvaddr %0" : "=r"(values[FRAME_WORDS + 1]));
        __asm__ volatile("rsr.depc %0" : "=r"(values[FRAME_WORDS + 2]));
        machine_fault("exception",
                      "a0 sp a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 pc ps sar exccause "
                      "excvaddr depc",
                      values);
    }
    while ((UART(LINE_STATUS) & STATUS_RECEIVED) != 0) {
        machine_received((uint8_t)UART(DATA));
    }
}

void machine_init(void) {
    UART(LINE_CONTROL) = EIGHT_BITS;
    UART(FIFO_CONTROL) = FIFO_OF_14;
    UART(INTERRUPT_ENABLE) = ENABLE_RECEIVED;
    __asm__ volatile("wsr.intenable %0\nrsync" ::"r"(UART_INTERRUPT_BIT));
    machine_unlock();
}

void machine_send(uint8_t byte) {
    while ((UART(LINE_STATUS) & STATUS_TX_EMPTY) == 0) {
    }
    UART(DATA) = byte;
}

void machine_lock(void) {
    uint32_t before;
    __asm__ volatile("rsil %0, 15" : "=r"(before)::"memory");
}

void machine_unlock(void) {
    uint32_t before;
    __asm__ volatile("rsil %0, 0" : "=r"(before)::"memory");
}

void machine_sleep(void) {
    /* Lets interrupts through and waits for one, in one instruction. */
    __asm__ volatile("waiti 0" ::: "memory");
}

/* The counter has 32 bits: 107 thousand million instructions. It is read more often than that. */
uint64_t machine_ticks(void) {
    static uint32_t laps;
    static uint32_t last;
    uint32_t now;
    __asm__ volatile("rsr.ccount %0" : "=r"(now));
    if (now < last) {
        laps++;
    }
    last = now;
    return ((uint64_t)laps << 32 | now) * INSTRUCTIONS_PER_TICK;
}

enum { CALL_EXIT = 1, CALL_READ = 3, CALL_WRITE = 4, CALL_OPEN = 5 };
enum { STDERR = 2, ACCESS_OF_A_NEW_FILE = 0600 };
/* open(2) of the machine that runs QEMU: Linux. */
enum { OPEN_READ = 0, OPEN_WRITE_NEW = 01 | 0100 | 01000 };

static int32_t simulator_call(uint32_t operation, uint32_t first, uint32_t second, uint32_t third) {
    register uint32_t a2 __asm__("a2") = operation;
    register uint32_t a3 __asm__("a3") = first;
    register uint32_t a4 __asm__("a4") = second;
    register uint32_t a5 __asm__("a5") = third;
    __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
    return (int32_t)a2;
}

static uint32_t address(const void *data) {
    return (uint32_t)(uintptr_t)data;
}

int32_t machine_open(const char *name, bool write) {
    return simulator_call(CALL_OPEN, address(name), write ? OPEN_WRITE_NEW : OPEN_READ,
                          ACCESS_OF_A_NEW_FILE);
}

size_t machine_read(int32_t file, void *data, size_t size) {
    const int32_t done = simulator_call(CALL_READ, (uint32_t)file, address(data), size);
    return done > 0 ? (size_t)done : 0;
}

size_t machine_write(int32_t file, const void *data, size_t size) {
    const int32_t done = simulator_call(CALL_WRITE, (uint32_t)file, address(data), size);
    return done > 0 ? (size_t)done : 0;
}

void machine_print(const char *text) {
    (void)machine_write(STDERR, text, strlen(text));
}

_Noreturn void machine_exit(uint32_t code) {
    for (;;) {
        (void)simulator_call(CALL_EXIT, code, 0, 0);
    }
}
