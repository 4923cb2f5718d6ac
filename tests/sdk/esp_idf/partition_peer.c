/* The flash partitions of an ESP32-S3, as a test scripts them. */

#include <stdbool.h>
#include <string.h>

#include "esp_partition.h"

static struct {
    esp_partition_t part;
    bool absent;
    bool broken;
    size_t shift;
    _Alignas(16) uint8_t content[256];
} flash;

/* Returns where the partition's content is shown. */
const uint8_t *peer_partition(bool absent, bool broken, uint32_t size, size_t shift) {
    flash.absent = absent;
    flash.broken = broken;
    flash.part.size = size;
    flash.shift = shift;
    return flash.content;
}

const esp_partition_t *esp_partition_find_first(esp_partition_type_t type,
                                                esp_partition_subtype_t subtype,
                                                const char *label) {
    const bool wanted = type == ESP_PARTITION_TYPE_DATA && subtype == ESP_PARTITION_SUBTYPE_ANY &&
                        strcmp(label, "model") == 0;
    return flash.absent || !wanted ? NULL : &flash.part;
}

esp_err_t esp_partition_mmap(const esp_partition_t *partition, size_t offset, size_t size,
                             esp_partition_mmap_flag_t memory, const void **out,
                             esp_partition_mmap_handle_t *handle) {
    if (flash.broken || partition != &flash.part || offset != 0 || size != flash.part.size ||
        memory != ESP_PARTITION_MMAP_DATA) {
        return ESP_ERR_NO_MEM;
    }
    *out = flash.content + flash.shift;
    *handle = 1;
    return ESP_OK;
}
