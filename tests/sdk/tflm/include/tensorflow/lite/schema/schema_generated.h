/* Declarations of our own, for what generated code uses of TensorFlow Lite's schema. */
#ifndef EK_TEST_SCHEMA_GENERATED_H
#define EK_TEST_SCHEMA_GENERATED_H

#include <stdint.h>

namespace tflite {

class Model {
  public:
    uint32_t version() const;
};

const Model *GetModel(const void *data);

} // namespace tflite

#endif
