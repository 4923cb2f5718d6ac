/* What the firmware uses of the header of this name in the driver of the Ethos-U, in our words. */
#ifndef ETHOSU_DRIVER_H
#define ETHOSU_DRIVER_H

#include <stddef.h>
#include <stdint.h>

struct ethosu_driver {
    uint32_t state;
};

int ethosu_init(struct ethosu_driver *driver, void *base_address, const void *fast_memory,
                size_t fast_memory_size, uint32_t secure, uint32_t privileged);
void ethosu_irq_handler(struct ethosu_driver *driver);

#endif
