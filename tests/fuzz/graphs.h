/* The models of an image: tests/fuzz/graph_boards.py writes the table, graphs.c runs them. */
#ifndef GRAPHS_H
#define GRAPHS_H

#include <stdint.h>

typedef struct {
    void (*run)(uint8_t *arena);
    uint32_t arena_bytes;
    uint32_t input_offset;
    uint32_t input_bytes;
    uint32_t output_offset;
    uint32_t output_bytes;
} graph;

extern const graph graphs[];
extern uint8_t graphs_arena[]; /* as large as the largest model wants */

#endif
