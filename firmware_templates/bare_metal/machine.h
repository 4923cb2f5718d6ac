/* What a family of machines provides to the code that all bare-metal boards share.
 *
 * The shared code is: start.c (from reset to main), port.c (the receive ring behind ek_port.h),
 * batch.c (frames from a file), fault.c (last words), libc/.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start the serial line, its receive interrupt and the tick counter. Interrupts are on afterwards.
 */
void machine_init(void);

/* Send one byte; waits until the line takes it. */
void machine_send(uint8_t byte);

/* Hold interrupts back, and let them through again. */
void machine_lock(void);
void machine_unlock(void);

/* With interrupts held back: sleep until one is pending. */
void machine_sleep(void);

/* The tick counter in instructions; how exact it is, the board file says. */
uint64_t machine_ticks(void);

/* Files and the exit of the machine that emulates this one: semihosting, or Xtensa's simulator
 * calls. Open returns a number for the others, or a negative one. Read and write return the bytes
 * done. */
int32_t machine_open(const char *name, bool write);
size_t machine_read(int32_t file, void *data, size_t size);
size_t machine_write(int32_t file, const void *data, size_t size);
void machine_print(const char *text);
_Noreturn void machine_exit(uint32_t code);

/* Called by the family. */
_Noreturn void machine_start(void);  /* from reset, on a stack */
void machine_received(uint8_t byte); /* from the receive interrupt */

/* From a fault's handler: print `title` and the registers as name=value, then exit. The names stand
 * in one text, separated by blanks. */
_Noreturn void machine_fault(const char *title, const char *names, const uint32_t *values);

/* The most bytes of stack that have been in use since reset. */
uint32_t machine_stack_used(void);

/* How the emulator ends: the firmware's exit codes. */
enum {
    MACHINE_EXIT_DONE = 0,
    MACHINE_EXIT_FILES = 70, /* the batch's files cannot be used */
    MACHINE_EXIT_FAULT = 71,
};

/* From the linker script. */
extern uint32_t machine_stack_begin[];
extern uint32_t machine_stack_end[];
extern uint32_t machine_handler_stack_end[];

#endif
