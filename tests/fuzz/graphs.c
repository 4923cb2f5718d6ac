/* Runs the models of an image one after the other: what the fuzzer has in the place of the
 * firmware's main. Start-up, C library, kernels and linker script are the firmware's own.
 *
 *   graphs-frames.bin    for each run: u32 number of the model, its input
 *   graphs-answers.bin   for each run: u32 CRC-32 of each step's output, the scores
 */
#include "graphs.h"

#include <string.h>

#include "ek_frame.h"
#include "machine.h"

static int32_t answers;

int main(void);
void ek_trace_step(uint32_t step, const int8_t *output, uint32_t size);

static void put(const void *data, size_t size) {
    if (machine_write(answers, data, size) != size) {
        machine_print("cannot write graphs-answers.bin\n");
        machine_exit(MACHINE_EXIT_FILES);
    }
}

void ek_trace_step(uint32_t step, const int8_t *output, uint32_t size) {
    (void)step;
    const uint32_t crc = ek_crc32(0, (const uint8_t *)output, size, false);
    put(&crc, sizeof crc);
}

int main(void) {
    const int32_t frames = machine_open("graphs-frames.bin", false);
    answers = machine_open("graphs-answers.bin", true);
    uint32_t number;
    while (machine_read(frames, &number, sizeof number) == sizeof number) {
        const graph *model = &graphs[number];
        memset(graphs_arena, 0x5A, model->arena_bytes);
        uint8_t *input = graphs_arena + model->input_offset;
        if (machine_read(frames, input, model->input_bytes) != model->input_bytes) {
            machine_print("cannot read graphs-frames.bin\n");
            machine_exit(MACHINE_EXIT_FILES);
        }
        model->run(graphs_arena);
        put(graphs_arena + model->output_offset, model->output_bytes);
    }
    return 0;
}
