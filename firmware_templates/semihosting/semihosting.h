/* The one instruction of Arm's semihosting protocol, which RISC-V shares; semihosting.c has the
 * rest. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdint.h>

/* Call the emulator; `argument` is a block of words, or text. */
int32_t semihosting_call(uint32_t operation, const void *argument);

#endif
