/* What the firmware uses of the WE1 SDK's header of this name, in our words. */
#ifndef HX_DRV_TIMER_H
#define HX_DRV_TIMER_H

#include <stdint.h>

uint64_t board_get_cur_us(void);

#endif
