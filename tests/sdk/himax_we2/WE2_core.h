/* What the firmware uses of the WE2 SDK's header of this name, in our words. */
#ifndef WE2_CORE_H
#define WE2_CORE_H

#include <stdint.h>

#include "WE2_device.h"

void EPII_NVIC_SetVector(IRQn_Type number, uint32_t handler);

#endif
