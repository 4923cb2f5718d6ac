/* Every input, output and scratch is a block of its own with exactly the size that the step states.
 * Or the output lies over some of the inputs, and all of these are one block. */
#include "driver.h"

typedef struct {
    int32_t block;  /* bytes of the output's block */
    int32_t output; /* where the output begins in it */
    int32_t
        inputs[DRIVER_MAX_INPUTS]; /* where the inputs begin in it; -1: in a block of their own */
    uint32_t shifts;               /* four bits each: the inputs', and the last four the output's */
} layout;

static void run_frame(const ek_case *item) {
    layout place;
    int8_t *inputs[DRIVER_MAX_INPUTS] = {NULL};
    driver_read(&place, sizeof place);
    int8_t *block = driver_block((size_t)place.block, place.shifts >> 28);
    memset(block, 0x55, (size_t)place.block);
    for (int i = 0; i < item->inputs; i++) {
        const size_t size = item->input_size[i];
        inputs[i] = place.inputs[i] < 0 ? driver_block(size, place.shifts >> 4 * i & 15u)
                                        : block + place.inputs[i];
        driver_read(inputs[i], size);
    }
    int8_t *output = block + place.output;
    void *scratch = NULL;
    if (item->scratch_size > 0) {
        scratch = driver_block(item->scratch_size, 0);
        memset(scratch, 0x55, item->scratch_size);
    }
    item->run(inputs, output, scratch);
    driver_write(output, item->output_size);
    driver_free_all();
}

void driver_run(void) {
    for (int number = 0; number < ek_case_count; number++) {
        int32_t frames;
        driver_read(&frames, sizeof frames);
        for (int frame = 0; frame < frames; frame++) {
            driver_say(number, frame);
            run_frame(&ek_cases[number]);
        }
    }
}
