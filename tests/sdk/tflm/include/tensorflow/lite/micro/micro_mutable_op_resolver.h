/* Declarations of our own: the methods that register operators, as esp-tflite-micro 1.4.0 has them.
 */
#ifndef EK_TEST_MICRO_MUTABLE_OP_RESOLVER_H
#define EK_TEST_MICRO_MUTABLE_OP_RESOLVER_H

#include "tensorflow/lite/micro/micro_interpreter.h"

namespace tflite {

TfLiteStatus ek_test_add(int capacity);

template <unsigned int tOpCount> class MicroMutableOpResolver : public MicroOpResolver {
  public:
    explicit MicroMutableOpResolver() {
    }
    int registered() const override {
        return registered_;
    }

#define EK_TEST_ADD(name)                                                                          \
    TfLiteStatus name() {                                                                          \
        return add();                                                                              \
    }
    /* clang-format off */
    EK_TEST_ADD(AddAbs) EK_TEST_ADD(AddAdd) EK_TEST_ADD(AddAddN) EK_TEST_ADD(AddArgMax)
    EK_TEST_ADD(AddArgMin) EK_TEST_ADD(AddAssignVariable) EK_TEST_ADD(AddAveragePool2D)
    EK_TEST_ADD(AddBatchMatMul) EK_TEST_ADD(AddBatchToSpaceNd) EK_TEST_ADD(AddBroadcastArgs)
    EK_TEST_ADD(AddBroadcastTo) EK_TEST_ADD(AddCallOnce) EK_TEST_ADD(AddCast) EK_TEST_ADD(AddCeil)
    EK_TEST_ADD(AddConcatenation) EK_TEST_ADD(AddConv2D) EK_TEST_ADD(AddCos)
    EK_TEST_ADD(AddCumSum) EK_TEST_ADD(AddDepthToSpace) EK_TEST_ADD(AddDepthwiseConv2D)
    EK_TEST_ADD(AddDequantize) EK_TEST_ADD(AddDiv) EK_TEST_ADD(AddDynamicUpdateSlice)
    EK_TEST_ADD(AddElu) EK_TEST_ADD(AddEmbeddingLookup) EK_TEST_ADD(AddEqual) EK_TEST_ADD(AddExp)
    EK_TEST_ADD(AddExpandDims) EK_TEST_ADD(AddFill) EK_TEST_ADD(AddFloor) EK_TEST_ADD(AddFloorDiv)
    EK_TEST_ADD(AddFloorMod) EK_TEST_ADD(AddFullyConnected) EK_TEST_ADD(AddGather)
    EK_TEST_ADD(AddGatherNd) EK_TEST_ADD(AddGreater) EK_TEST_ADD(AddGreaterEqual)
    EK_TEST_ADD(AddHardSwish) EK_TEST_ADD(AddIf) EK_TEST_ADD(AddL2Normalization)
    EK_TEST_ADD(AddL2Pool2D) EK_TEST_ADD(AddLeakyRelu) EK_TEST_ADD(AddLess)
    EK_TEST_ADD(AddLessEqual) EK_TEST_ADD(AddLog) EK_TEST_ADD(AddLogSoftmax)
    EK_TEST_ADD(AddLogicalAnd) EK_TEST_ADD(AddLogicalNot) EK_TEST_ADD(AddLogicalOr)
    EK_TEST_ADD(AddLogistic) EK_TEST_ADD(AddMaxPool2D) EK_TEST_ADD(AddMaximum)
    EK_TEST_ADD(AddMean) EK_TEST_ADD(AddMinimum) EK_TEST_ADD(AddMirrorPad) EK_TEST_ADD(AddMul)
    EK_TEST_ADD(AddNeg) EK_TEST_ADD(AddNotEqual) EK_TEST_ADD(AddPack) EK_TEST_ADD(AddPad)
    EK_TEST_ADD(AddPadV2) EK_TEST_ADD(AddPrelu) EK_TEST_ADD(AddQuantize)
    EK_TEST_ADD(AddReadVariable) EK_TEST_ADD(AddReduceAll) EK_TEST_ADD(AddReduceMax)
    EK_TEST_ADD(AddReduceMin) EK_TEST_ADD(AddRelu) EK_TEST_ADD(AddRelu6) EK_TEST_ADD(AddReshape)
    EK_TEST_ADD(AddResizeBilinear) EK_TEST_ADD(AddResizeNearestNeighbor) EK_TEST_ADD(AddReverseV2)
    EK_TEST_ADD(AddRound) EK_TEST_ADD(AddRsqrt) EK_TEST_ADD(AddSelectV2) EK_TEST_ADD(AddShape)
    EK_TEST_ADD(AddSin) EK_TEST_ADD(AddSlice) EK_TEST_ADD(AddSoftmax)
    EK_TEST_ADD(AddSpaceToBatchNd) EK_TEST_ADD(AddSpaceToDepth) EK_TEST_ADD(AddSplit)
    EK_TEST_ADD(AddSplitV) EK_TEST_ADD(AddSqrt) EK_TEST_ADD(AddSquare)
    EK_TEST_ADD(AddSquaredDifference) EK_TEST_ADD(AddSqueeze) EK_TEST_ADD(AddStridedSlice)
    EK_TEST_ADD(AddSub) EK_TEST_ADD(AddSum) EK_TEST_ADD(AddSvdf) EK_TEST_ADD(AddTanh)
    EK_TEST_ADD(AddTranspose) EK_TEST_ADD(AddTransposeConv)
    EK_TEST_ADD(AddUnidirectionalSequenceLSTM) EK_TEST_ADD(AddUnpack) EK_TEST_ADD(AddVarHandle)
    EK_TEST_ADD(AddWhile) EK_TEST_ADD(AddZerosLike) EK_TEST_ADD(AddEthosU)
    /* clang-format on */
#undef EK_TEST_ADD

                                                                                              private
      : TfLiteStatus add() {
        registered_++;
        return ek_test_add(static_cast<int>(tOpCount));
    }
    int registered_ = 0;
};

} // namespace tflite

#endif
