/* Runs a table of kernel calls on inputs that it reads, and writes what they answer:
 * tests/kernels/runner.py writes the table. What differs between a process of this machine and an
 * emulated board is below the line. */
#ifndef DRIVER_H
#define DRIVER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ek_nn.h"

#define DRIVER_MAX_INPUTS 7

typedef struct {
    void (*run)(int8_t *const *inputs, int8_t *output, void *scratch);
    int inputs;
    size_t input_size[DRIVER_MAX_INPUTS];
    size_t output_size;
    size_t scratch_size;
} ek_case;

extern const ek_case ek_cases[];
extern const int ek_case_count;

void driver_run(void);

/* ---- */

void driver_read(void *data, size_t size);
void driver_write(const void *data, size_t size);

/* A block that begins `shift` bytes behind a multiple of 16, and where an access beyond it is
 * noticed, by the next driver_free_all at the latest. */
int8_t *driver_block(size_t size, size_t shift);
void driver_free_all(void);
void driver_say(int number, int frame);

#endif
