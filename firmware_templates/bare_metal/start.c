/* From reset to main: memory as C expects it. */
#include <string.h>

#include "machine.h"

#define PAINT 0xE5D6C7B8u
/* What this function itself may still need below the address of its locals. */
#define RESERVE_WORDS 64

extern uint32_t machine_data_begin[];
extern uint32_t machine_data_end[];
extern const uint32_t machine_data_load[];
extern uint32_t machine_bss_begin[];
extern uint32_t machine_bss_end[];

int main(void);

static void paint_stack(void) {
    uint32_t here = 0;
    const uintptr_t limit = (uintptr_t)&here - RESERVE_WORDS * sizeof here;
    for (volatile uint32_t *word = machine_stack_begin; (uintptr_t)word < limit; word++) {
        *word = PAINT;
    }
}

uint32_t machine_stack_used(void) {
    const uint32_t *word = machine_stack_begin;
    while (word < machine_stack_end && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)machine_stack_end - (uintptr_t)word);
}

_Noreturn void machine_start(void) {
    memcpy(machine_data_begin, machine_data_load,
           (size_t)((uintptr_t)machine_data_end - (uintptr_t)machine_data_begin));
    memset(machine_bss_begin, 0,
           (size_t)((uintptr_t)machine_bss_end - (uintptr_t)machine_bss_begin));
    paint_stack();
    (void)main();
    machine_exit(MACHINE_EXIT_DONE);
}
