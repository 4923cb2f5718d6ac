/* What the firmware uses of the WE2 SDK's header of this name, in our words. */
#ifndef WE2_DEVICE_H
#define WE2_DEVICE_H

#include <stdint.h>

#define BASE_ADDR_APB_U55_CTRL_ALIAS 0x53020000

typedef enum { U55_IRQn = 192 } IRQn_Type;

extern uint32_t SystemCoreClock;

void NVIC_EnableIRQ(IRQn_Type number);
void SystemGetTick(uint32_t *value, uint32_t *rounds);

#endif
