/* The partition `model` of the flash, which the chip's cache shows like memory. */

#include "ek_stored_model.h"

#include "esp_err.h"
#include "esp_partition.h"

const uint8_t *ek_port_model(size_t *bytes) {
    const esp_partition_t *part =
        esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, "model");
    if (part == NULL || part->size == 0) {
        return NULL;
    }
    const void *mapped = NULL;
    esp_partition_mmap_handle_t handle; /* never given back: the model is read for ever */
    if (esp_partition_mmap(part, 0, part->size, ESP_PARTITION_MMAP_DATA, &mapped, &handle) !=
            ESP_OK ||
        (uintptr_t)mapped % 16u != 0) {
        return NULL;
    }
    *bytes = part->size;
    return mapped;
}
