/* Runs the model by TensorFlow Lite Micro behind the functions of model.h. No heap, no exceptions,
 * no start-up code: the interpreter is made on first use. */
#include <stddef.h>
#include <stdint.h>

#include <new>

#include "ek_app.h"
#include "model.h"
#ifndef EK_MODEL_DATA_BYTES
#include "ek_stored_model.h"
#endif
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#include "model_operators.h" /* of names that the headers above declare */

namespace {

using Resolver = tflite::MicroMutableOpResolver<EK_MODEL_METHODS>;

/* Objects are made in place, so that nothing has to run before main and nothing is on a heap. */
alignas(Resolver) uint8_t resolver_place[sizeof(Resolver)];
alignas(tflite::MicroInterpreter) uint8_t interpreter_place[sizeof(tflite::MicroInterpreter)];

constexpr int32_t kNotStarted = -1;
int32_t status = kNotStarted;
tflite::MicroInterpreter *interpreter = nullptr;
TfLiteTensor *source = nullptr;
TfLiteTensor *target = nullptr;

/* Whether all of the tensor is in the arena, so that the application may write and read it. */
bool inside(const TfLiteTensor *tensor, const uint8_t *arena) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(tensor->data.raw);
    const uintptr_t first = reinterpret_cast<uintptr_t>(arena);
    return begin >= first && tensor->bytes <= EK_MODEL_ARENA_BYTES &&
           begin - first <= EK_MODEL_ARENA_BYTES - tensor->bytes;
}

bool agrees(const TfLiteTensor *tensor, size_t bytes, const uint8_t *arena) {
    return tensor != nullptr && tensor->type == kTfLiteInt8 && tensor->bytes == bytes &&
           inside(tensor, arena);
}

bool has_input_shape(const TfLiteIntArray *dims) {
    constexpr int32_t kShape[] = EK_MODEL_INPUT_SHAPE;
    constexpr int kRank = sizeof(kShape) / sizeof(kShape[0]);
    if (dims == nullptr || dims->size != kRank) {
        return false;
    }
    for (int i = 0; i < kRank; i++) {
        if (dims->data[i] != kShape[i]) {
            return false;
        }
    }
    return true;
}

int32_t start(uint8_t *arena) {
#ifdef EK_MODEL_DATA_BYTES
    const uint8_t *data = ek_model_data;
#else
    const ek_stored_model *stored = ek_stored_model_get();
    if (stored->failure != 0) {
        return stored->failure;
    }
    const uint8_t *data = stored->data;
#endif
    const tflite::Model *model = tflite::GetModel(data);
    if (model->version() != TFLITE_SCHEMA_VERSION) {
        return EK_MODEL_VERSION;
    }
    Resolver *resolver = new (resolver_place) Resolver();
    if (!ek_model_add_operators(resolver)) {
        return EK_MODEL_OPERATORS;
    }
    tflite::MicroInterpreter *made = new (interpreter_place)
        tflite::MicroInterpreter(model, *resolver, arena, EK_MODEL_ARENA_BYTES);
    if (made->AllocateTensors() != kTfLiteOk) {
        return EK_MODEL_ARENA;
    }
    if (made->inputs_size() != 1 || made->outputs_size() != 1) {
        return EK_MODEL_TENSORS;
    }
    TfLiteTensor *first = made->input(0);
    TfLiteTensor *last = made->output(0);
    if (!agrees(first, EK_MODEL_INPUT_BYTES, arena) || !has_input_shape(first->dims) ||
        !agrees(last, EK_MODEL_OUTPUT_BYTES, arena)) {
        return EK_MODEL_TENSORS;
    }
    interpreter = made;
    source = first;
    target = last;
    return 0;
}

} // namespace

int32_t ek_model_init(uint8_t *arena) {
    if (status == kNotStarted) {
        status = start(arena);
    }
    return status;
}

uint8_t *ek_model_input(uint8_t *arena) {
    (void)arena;
    return source == nullptr ? nullptr : source->data.uint8;
}

const int8_t *ek_model_output(const uint8_t *arena) {
    (void)arena;
    return target == nullptr ? nullptr : target->data.int8;
}

int32_t ek_model_invoke(uint8_t *arena) {
    const int32_t failure = ek_model_init(arena);
    if (failure != 0) {
        return failure;
    }
    return interpreter->Invoke() == kTfLiteOk ? 0 : EK_MODEL_INVOKE;
}
