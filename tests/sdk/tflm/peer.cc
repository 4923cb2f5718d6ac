/* A scripted interpreter behind the generated C++, and a program that starts and runs it once.
 *
 * Arguments are NAME=VALUE; each bends one thing. Prints what the functions of model.h return. The
 * scores are sums, so that a wrong place in the arena shows. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

static long script(const char *name, long otherwise);

static int added;
static const uint8_t *given; /* the .tflite that the interpreter was made for */

namespace tflite {

uint32_t Model::version() const {
    return (uint32_t)script("version", TFLITE_SCHEMA_VERSION);
}

const Model *GetModel(const void *data) {
    given = static_cast<const uint8_t *>(data);
    return static_cast<const Model *>(data);
}

TfLiteStatus ek_test_add(int capacity) {
    added++;
    return added > capacity || added == script("add", 0) ? kTfLiteError : kTfLiteOk;
}

MicroInterpreter::MicroInterpreter(const Model *, const MicroOpResolver &resolver, uint8_t *arena,
                                   size_t arena_bytes)
    : resolver_(resolver), arena_(arena), arena_bytes_(arena_bytes) {
    const int shape[] = EK_MODEL_INPUT_SHAPE;
    input_dims_.size = (int)script("rank", EK_MODEL_INPUT_RANK);
    for (unsigned i = 0; i < EK_MODEL_INPUT_RANK; i++) {
        input_dims_.data[i] = shape[i];
    }
    input_dims_.data[EK_MODEL_INPUT_RANK - 1] += (int)script("channels", 0);
    const size_t past = (size_t)script("past", 0);
    input_.type = (TfLiteType)script("type", kTfLiteInt8);
    input_.bytes = EK_MODEL_INPUT_BYTES + (size_t)script("bytes", 0);
    input_.dims = &input_dims_;
    input_.data.uint8 = arena + (past == 1 ? arena_bytes - EK_MODEL_INPUT_BYTES + 1 : 16);
    output_.type = (TfLiteType)script("output_type", kTfLiteInt8);
    output_.bytes = EK_MODEL_OUTPUT_BYTES + (size_t)script("output_bytes", 0);
    output_.dims = &input_dims_;
    output_.data.uint8 = past == 2 ? arena - 1 : arena + arena_bytes - EK_MODEL_OUTPUT_BYTES;
}

TfLiteStatus MicroInterpreter::AllocateTensors() {
    return resolver_.registered() != added || script("allocate", 0) ? kTfLiteError : kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke() {
    int sum = 0;
    for (size_t i = 0; i < input_.bytes; i++) {
        sum += input_.data.int8[i];
    }
    for (size_t i = 0; i < output_.bytes; i++) {
        output_.data.int8[i] = (int8_t)(sum + (int)i);
    }
    return script("invoke", 0) ? kTfLiteError : kTfLiteOk;
}

size_t MicroInterpreter::inputs_size() const {
    return (size_t)script("inputs", 1);
}
size_t MicroInterpreter::outputs_size() const {
    return (size_t)script("outputs", 1);
}
TfLiteTensor *MicroInterpreter::input(size_t) {
    return script("null", 0) ? nullptr : &input_;
}
TfLiteTensor *MicroInterpreter::output(size_t) {
    return &output_;
}

} // namespace tflite

static int argument_count;
static char **argument_values;

static long script(const char *name, long otherwise) {
    const size_t length = strlen(name);
    for (int i = 1; i < argument_count; i++) {
        if (strncmp(argument_values[i], name, length) == 0 && argument_values[i][length] == '=') {
            return strtol(argument_values[i] + length + 1, nullptr, 10);
        }
    }
    return otherwise;
}

static void put_hex(const uint8_t *data, unsigned size) {
    for (unsigned i = 0; i < size; i++) {
        printf("%02x", data[i]);
    }
    printf("\n");
}

int main(int count, char **values) {
    argument_count = count;
    argument_values = values;
    static uint8_t digests[64]; /* asked for first, as by HELLO */
    memcpy(digests, ek_model_digest, 32);
    memcpy(digests + 32, ek_model_contract_digest, 32);
    alignas(16) static uint8_t arena[EK_MODEL_ARENA_BYTES];
    const bool before = ek_model_input(arena) == nullptr && ek_model_output(arena) == nullptr;
    const int first = (int)ek_model_init(arena);
    printf("%d %d %d", before, first, (int)ek_model_init(arena));
    uint8_t *input = ek_model_input(arena);
    if (input != nullptr) {
        memset(input, 0, EK_MODEL_INPUT_BYTES);
        input[EK_MODEL_INPUT_BYTES - 1] = 7;
    }
    printf(" %d", (int)ek_model_invoke(arena));
    const int8_t *output = ek_model_output(arena);
    for (unsigned i = 0; output != nullptr && i < EK_MODEL_OUTPUT_BYTES; i++) {
        printf(" %d", output[i]);
    }
    printf("\nadded %d\n", added);
    put_hex(digests, sizeof digests);
    put_hex(given, given == nullptr ? 0 : 8);
    return 0;
}
