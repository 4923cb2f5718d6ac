/* What the firmware uses of the WE2 SDK's header of this name, in our words. */
#ifndef WE2_DEVICE_H
#define WE2_DEVICE_H

#include <stdint.h>

extern uint32_t SystemCoreClock;

void SystemGetTick(uint32_t *value, uint32_t *rounds);

#endif
