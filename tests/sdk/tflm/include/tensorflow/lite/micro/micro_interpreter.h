/* Declarations of our own, for what generated code uses of TensorFlow Lite Micro's interpreter. */
#ifndef EK_TEST_MICRO_INTERPRETER_H
#define EK_TEST_MICRO_INTERPRETER_H

#include <stddef.h>
#include <stdint.h>

#include "tensorflow/lite/schema/schema_generated.h"

#define TFLITE_SCHEMA_VERSION (3)

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType { kTfLiteNoType = 0, kTfLiteFloat32 = 1, kTfLiteInt8 = 9 };

struct TfLiteIntArray {
    int size;
    int data[8];
};

union TfLitePtrUnion {
    char *raw;
    int8_t *int8;
    uint8_t *uint8;
};

struct TfLiteTensor {
    TfLiteType type;
    TfLitePtrUnion data;
    TfLiteIntArray *dims;
    size_t bytes;
};

namespace tflite {

class MicroOpResolver {
  public:
    virtual int registered() const = 0;

  protected:
    ~MicroOpResolver() = default;
};

class MicroInterpreter {
  public:
    MicroInterpreter(const Model *model, const MicroOpResolver &resolver, uint8_t *arena,
                     size_t arena_bytes);
    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    size_t inputs_size() const;
    size_t outputs_size() const;
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);

  private:
    const MicroOpResolver &resolver_;
    uint8_t *arena_;
    size_t arena_bytes_;
    TfLiteTensor input_;
    TfLiteTensor output_;
    TfLiteIntArray input_dims_;
};

} // namespace tflite

#endif
