/* The ARC EM9D of Himax's WE-I Plus (HX6537-A), as far as it can be known without one: start-up,
 * vectors and memory. The firmware is compiled and linked, so that its size is known; nothing
 * drives the UART or the timer yet.
 */
#include "machine.h"

void machine_reset(void);
void machine_halt(void);

/* The processor reads the address of each handler from a table that begins with the reset's. */
__asm__(".section .vectors, \"a\"\n"
        "  .long machine_reset\n"
        "  .rept 15\n"
        "  .long machine_halt\n"
        "  .endr\n"
        ".text\n");

__attribute__((naked)) void machine_reset(void) {
    __asm__ volatile("mov sp, machine_stack_end\n"
                     "mov fp, 0\n"
                     "b machine_start\n");
}

__attribute__((naked)) void machine_halt(void) {
    __asm__ volatile("flag 1\n" /* H: stop the processor */
                     "b machine_halt\n");
}

void machine_init(void) {
}

void machine_send(uint8_t byte) {
    (void)byte;
}

void machine_lock(void) {
    __asm__ volatile("clri" ::: "memory");
}

void machine_unlock(void) {
    __asm__ volatile("seti" ::: "memory");
}

void machine_sleep(void) {
    __asm__ volatile("sleep 0x10" ::: "memory"); /* with interrupts let through */
}

uint64_t machine_ticks(void) {
    return 0;
}

/* There is no emulator whose files could be used. */

int32_t machine_open(const char *name, bool write) {
    (void)name;
    (void)write;
    return -1;
}

size_t machine_read(int32_t file, void *data, size_t size) {
    (void)file;
    (void)data;
    (void)size;
    return 0;
}

size_t machine_write(int32_t file, const void *data, size_t size) {
    (void)file;
    (void)data;
    (void)size;
    return 0;
}

void machine_print(const char *text) {
    (void)text;
}

_Noreturn void machine_exit(uint32_t code) {
    (void)code;
    for (;;) {
        machine_halt();
    }
}
