/* What the firmware uses of the WE1 SDK's header of this name, in our words. */
#ifndef HX_DRV_IOMUX_H
#define HX_DRV_IOMUX_H

#include <stdint.h>

typedef enum { IOMUX_PGPIO8 = 8 } IOMUX_INDEX_E;
typedef enum { IOMUX_NO_ERROR = 0 } IOMUX_ERROR_E;

IOMUX_ERROR_E hx_drv_iomux_set_pmux(IOMUX_INDEX_E pin, uint8_t function);
IOMUX_ERROR_E hx_drv_iomux_set_outvalue(IOMUX_INDEX_E pin, uint8_t value);

#endif
