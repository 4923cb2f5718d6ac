"""What the TFLite schema (version 3) says: numbers, names and defaults, as plain data.

`tflite.py` reads files by these tables. An operator whose options are not described here keeps an empty
mapping of options.
"""

from enum import IntEnum
from typing import NamedTuple

from edgekit.graph.ir import DType, OptionValue

IDENTIFIER = b"TFL3"
VERSION = 3

_BUILTIN_NAMES = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP
    FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION
    LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN
    SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD
    UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE
    UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX
    DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER
    GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL
    NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR
    ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL
    FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE
    CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE
    MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND
    SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE
    BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT
    HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS
    RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1
    UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN
    BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY
    STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM
    STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
    STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM
    STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT
    STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT
    STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
    STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER
    STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE
    STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
BUILTINS = tuple(_BUILTIN_NAMES.split())
"""The builtin operators; the position is the number in the file."""

_TYPE_NAMES = """
    FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8 FLOAT64 COMPLEX128 UINT64 RESOURCE
    VARIANT UINT32 UINT16 INT4 BFLOAT16 INT2 UINT4 FLOAT8_E4M3FN FLOAT8_E5M2
"""
TENSOR_TYPES = tuple(_TYPE_NAMES.split())
"""The element types; those that `DType` lacks cannot be read."""

DTYPES = {number: DType[name] for number, name in enumerate(TENSOR_TYPES) if name in DType.__members__}

PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
WEIGHTS_FORMATS = ("DEFAULT", "SHUFFLED4x16INT8")
MIRROR_PAD_MODES = ("REFLECT", "SYMMETRIC")


class ModelSlot(IntEnum):
    """Fields of the table Model."""

    VERSION = 0
    OPERATOR_CODES = 1
    SUBGRAPHS = 2
    DESCRIPTION = 3
    BUFFERS = 4
    METADATA_BUFFER = 5
    METADATA = 6
    SIGNATURE_DEFS = 7
    EXTERNAL_BUFFER_GROUPS = 8
    EXTERNAL_BUFFERS = 9


class CodeSlot(IntEnum):
    """Fields of the table OperatorCode."""

    DEPRECATED_BUILTIN_CODE = 0
    CUSTOM_CODE = 1
    VERSION = 2
    BUILTIN_CODE = 3


class SubGraphSlot(IntEnum):
    """Fields of the table SubGraph."""

    TENSORS = 0
    INPUTS = 1
    OUTPUTS = 2
    OPERATORS = 3
    NAME = 4


class TensorSlot(IntEnum):
    """Fields of the table Tensor."""

    SHAPE = 0
    TYPE = 1
    BUFFER = 2
    NAME = 3
    QUANTIZATION = 4
    IS_VARIABLE = 5
    SPARSITY = 6
    SHAPE_SIGNATURE = 7
    EXTERNAL_BUFFER = 10


class QuantizationSlot(IntEnum):
    """Fields of the table QuantizationParameters."""

    SCALE = 2
    ZERO_POINT = 3
    DETAILS_TYPE = 4
    QUANTIZED_DIMENSION = 6


class OperatorSlot(IntEnum):
    """Fields of the table Operator."""

    OPCODE_INDEX = 0
    INPUTS = 1
    OUTPUTS = 2
    BUILTIN_OPTIONS_TYPE = 3
    BUILTIN_OPTIONS = 4
    CUSTOM_OPTIONS = 5
    LARGE_CUSTOM_OPTIONS_OFFSET = 9
    LARGE_CUSTOM_OPTIONS_SIZE = 10


class BufferSlot(IntEnum):
    """Fields of the table Buffer."""

    DATA = 0
    OFFSET = 1
    SIZE = 2


class MetadataSlot(IntEnum):
    """Fields of the table Metadata."""

    NAME = 0
    BUFFER = 1


class Kind(IntEnum):
    """How an option field stands in its table."""

    BOOL = 0
    INT = 1
    FLOAT = 2
    INTS = 3
    ENUM = 4


class Option(NamedTuple):
    """One field of an option table."""

    slot: int
    name: str
    kind: Kind
    default: OptionValue
    choices: tuple[str, ...] = ()


class Options(NamedTuple):
    """An option table: its number in the union BuiltinOptions, and its fields."""

    number: int
    fields: tuple[Option, ...]


def _enum(slot: int, name: str, choices: tuple[str, ...]) -> Option:
    return Option(slot, name, Kind.ENUM, choices[0], choices)


def _type(slot: int, name: str) -> Option:
    return Option(slot, name, Kind.ENUM, TENSOR_TYPES[0], TENSOR_TYPES)


def _int(slot: int, name: str, default: int = 0) -> Option:
    return Option(slot, name, Kind.INT, default)


def _bool(slot: int, name: str) -> Option:
    return Option(slot, name, Kind.BOOL, False)


def _float(slot: int, name: str) -> Option:
    return Option(slot, name, Kind.FLOAT, 0.0)


def _activation(slot: int) -> Option:
    return _enum(slot, "fused_activation_function", ACTIVATIONS)


_PADDING = _enum(0, "padding", PADDINGS)
_STRIDES = (_int(1, "stride_w"), _int(2, "stride_h"))
_POOL = Options(5, (_PADDING, *_STRIDES, _int(3, "filter_width"), _int(4, "filter_height"), _activation(5)))
_POT = Option(1, "pot_scale_int16", Kind.BOOL, True)
_REDUCER = Options(27, (_bool(0, "keep_dims"),))
_ASYMMETRIC = "asymmetric_quantize_inputs"

OPTIONS: dict[str, Options] = {
    "CONV_2D": Options(
        1,
        (
            _PADDING,
            *_STRIDES,
            _activation(3),
            _int(4, "dilation_w_factor", 1),
            _int(5, "dilation_h_factor", 1),
            _type(6, "quantized_bias_type"),
        ),
    ),
    "DEPTHWISE_CONV_2D": Options(
        2,
        (
            _PADDING,
            *_STRIDES,
            _int(3, "depth_multiplier"),
            _activation(4),
            _int(5, "dilation_w_factor", 1),
            _int(6, "dilation_h_factor", 1),
        ),
    ),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "L2_POOL_2D": _POOL,
    "FULLY_CONNECTED": Options(
        8,
        (
            _activation(0),
            _enum(1, "weights_format", WEIGHTS_FORMATS),
            _bool(2, "keep_num_dims"),
            _bool(3, _ASYMMETRIC),
            _type(4, "quantized_bias_type"),
        ),
    ),
    "SOFTMAX": Options(9, (_float(0, "beta"),)),
    "CONCATENATION": Options(10, (_int(0, "axis"), _activation(1))),
    "ADD": Options(11, (_activation(0), _POT)),
    "L2_NORMALIZATION": Options(12, (_activation(0),)),
    "LOCAL_RESPONSE_NORMALIZATION": Options(
        13, (_int(0, "radius"), _float(1, "bias"), _float(2, "alpha"), _float(3, "beta"))
    ),
    "RESIZE_BILINEAR": Options(15, (_bool(2, "align_corners"), _bool(3, "half_pixel_centers"))),
    "RESHAPE": Options(17, (Option(0, "new_shape", Kind.INTS, ()),)),
    "SPACE_TO_DEPTH": Options(19, (_int(0, "block_size"),)),
    "MUL": Options(21, (_activation(0),)),
    "PAD": Options(22, ()),
    "GATHER": Options(23, (_int(0, "axis"), _int(1, "batch_dims"))),
    "TRANSPOSE": Options(26, ()),
    "MEAN": _REDUCER,
    "SUM": _REDUCER,
    "REDUCE_PROD": _REDUCER,
    "REDUCE_MAX": _REDUCER,
    "REDUCE_MIN": _REDUCER,
    "SUB": Options(28, (_activation(0), _POT)),
    "DIV": Options(29, (_activation(0),)),
    "SQUEEZE": Options(30, (Option(0, "squeeze_dims", Kind.INTS, ()),)),
    "STRIDED_SLICE": Options(
        32,
        (
            _int(0, "begin_mask"),
            _int(1, "end_mask"),
            _int(2, "ellipsis_mask"),
            _int(3, "new_axis_mask"),
            _int(4, "shrink_axis_mask"),
            _bool(5, "offset"),
        ),
    ),
    "SPLIT": Options(35, (_int(0, "num_splits"),)),
    "CAST": Options(37, (_type(0, "in_data_type"), _type(1, "out_data_type"))),
    "ARG_MAX": Options(40, (_type(0, "output_type"),)),
    "PADV2": Options(43, ()),
    "SLICE": Options(48, ()),
    "TRANSPOSE_CONV": Options(49, (_PADDING, *_STRIDES, _activation(3), _type(4, "quantized_bias_type"))),
    "EXPAND_DIMS": Options(52, ()),
    "SHAPE": Options(55, (_type(0, "out_type"),)),
    "ARG_MIN": Options(57, (_type(0, "output_type"),)),
    "PACK": Options(59, (_int(0, "values_count"), _int(1, "axis"))),
    "UNPACK": Options(64, (_int(0, "num"), _int(1, "axis"))),
    "RESIZE_NEAREST_NEIGHBOR": Options(74, (_bool(0, "align_corners"), _bool(1, "half_pixel_centers"))),
    "LEAKY_RELU": Options(75, (_float(0, "alpha"),)),
    "MIRROR_PAD": Options(77, (_enum(0, "mode", MIRROR_PAD_MODES),)),
    "SPLIT_V": Options(79, (_int(0, "num_splits"),)),
    "DEPTH_TO_SPACE": Options(94, (_int(0, "block_size"),)),
    "BATCH_MATMUL": Options(101, (_bool(0, "adj_x"), _bool(1, "adj_y"), _bool(2, _ASYMMETRIC))),
    "CUMSUM": Options(102, (_bool(0, "exclusive"), _bool(1, "reverse"))),
    "GELU": Options(116, (_bool(0, "approximate"),)),
}
"""Option tables by operator."""
