/* Declarations of our own, of the calls that our ports make: enough to compile them without
 * ESP-IDF. */
#ifndef ESP_ERR_H
#define ESP_ERR_H

typedef int esp_err_t;

#define ESP_OK 0
#define ESP_ERR_NO_MEM 0x101

void ek_sdk_failed(esp_err_t error);

#define ESP_ERROR_CHECK(call)                                                                      \
    do {                                                                                           \
        const esp_err_t error = (call);                                                            \
        if (error != ESP_OK) {                                                                     \
            ek_sdk_failed(error);                                                                  \
        }                                                                                          \
    } while (0)

#endif
