#!/usr/bin/env python3
"""Writes tests/models/cases.tar.zst: small seeded models, of one op or of what exporters write for one, for regression tests.

    $(tools/zoo_venv.sh) tools/export_cases.py [--out FILE.tar.zst | FOLDER] [--only PREFIX] [--list]

They complement the ONNX suite: odd sizes, tails of vector lengths and tiles, attribute combinations, patterns of exporters, symbolic shapes.
Answers are ONNX Runtime's with optimisations off; where ONNX's own reference evaluator can run a case, it must agree.
"""
import argparse
import io
import itertools
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np
from onnx import TensorProto

from case_builder import Case, Const, Data, one_op

K = Const


def conv_cases():
    """(name, channels in, out, size, kernel, attributes): 1x1, k x k, depthwise, grouped, stems, with sizes off every tile."""
    rows = [
        ("1x1", 17, 33, (5, 7), (1, 1), {}),
        ("1x1_single_pixel", 40, 70, (1, 1), (1, 1), {}),
        ("1x1_stride2", 16, 24, (9, 7), (1, 1), {"strides": [2, 2]}),
        ("1x1_wide", 130, 19, (3, 3), (1, 1), {}),
        ("3x3", 19, 21, (11, 13), (3, 3), {"pads": [1, 1, 1, 1]}),
        ("3x3_no_pad", 8, 16, (10, 18), (3, 3), {}),
        ("3x3_stride2", 12, 20, (15, 14), (3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("3x3_asymmetric_pads", 6, 10, (8, 9), (3, 3), {"pads": [0, 1, 2, 1], "strides": [2, 1]}),
        ("3x3_pads_larger_than_kernel", 3, 5, (4, 5), (3, 3), {"pads": [4, 3, 5, 4]}),
        ("3x3_dilated", 7, 9, (13, 12), (3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
        ("5x5_stride3", 4, 18, (17, 16), (5, 5), {"strides": [3, 3], "pads": [2, 2, 2, 2]}),
        ("1x7", 9, 11, (6, 15), (1, 7), {"pads": [0, 3, 0, 3]}),
        ("7x1", 9, 11, (15, 6), (7, 1), {"pads": [3, 0, 3, 0]}),
        ("stem_7x7", 3, 17, (22, 23), (7, 7), {"strides": [2, 2], "pads": [3, 3, 3, 3]}),
        ("stem_3x3_one_channel", 1, 16, (13, 15), (3, 3), {"pads": [1, 1, 1, 1]}),
        ("patches", 3, 24, (16, 24), (8, 8), {"strides": [8, 8]}),
        ("whole_image_kernel", 6, 8, (5, 4), (5, 4), {}),
        ("groups2", 12, 14, (9, 9), (3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
        ("groups_1x1", 24, 36, (5, 5), (1, 1), {"group": 3}),
        ("groups_odd", 15, 20, (7, 6), (3, 3), {"group": 5, "pads": [1, 1, 1, 1]}),
        ("depthwise_3x3", 37, 37, (10, 11), (3, 3), {"group": 37, "pads": [1, 1, 1, 1]}),
        ("depthwise_3x3_stride2", 19, 19, (12, 13), (3, 3), {"group": 19, "pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("depthwise_5x5", 18, 18, (9, 9), (5, 5), {"group": 18, "pads": [2, 2, 2, 2]}),
        ("depthwise_7x7", 33, 33, (8, 8), (7, 7), {"group": 33, "pads": [3, 3, 3, 3]}),
        ("depthwise_dilated", 16, 16, (12, 12), (3, 3), {"group": 16, "dilations": [3, 3], "pads": [3, 3, 3, 3]}),
        ("depthwise_multiplier", 10, 30, (7, 8), (3, 3), {"group": 10, "pads": [1, 1, 1, 1]}),
        ("same_upper", 5, 6, (10, 11), (4, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
        ("same_lower", 5, 6, (10, 11), (4, 4), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
        ("valid", 5, 6, (10, 11), (3, 3), {"auto_pad": "VALID"}),
        ("1d", 13, 17, (29,), (3,), {"pads": [1, 1]}),
        ("1d_stride_dilated", 8, 12, (41,), (5,), {"strides": [2], "dilations": [2], "pads": [4, 4]}),
        ("1d_depthwise", 21, 21, (18,), (4,), {"group": 21, "pads": [3, 0]}),
        ("3d", 3, 5, (6, 7, 5), (3, 3, 3), {"pads": [1, 1, 1, 1, 1, 1], "strides": [1, 2, 1]}),
        ("3d_depthwise", 6, 6, (5, 5, 5), (2, 3, 3), {"group": 6}),
    ]
    for name, c_in, c_out, size, kernel, attributes in rows:
        d = Data(f"conv_{name}")
        weights = d.weights(c_out, c_in // attributes.get("group", 1), *kernel)
        batch = 1 if c_in * np.prod(size) > 500 else 2
        yield one_op(f"conv_{name}", "Conv", [d.positive(batch, c_in, *size), K(weights), K(d.grid(c_out))], **attributes)
    d = Data("conv_no_bias")
    yield one_op("conv_no_bias", "Conv", [d.positive(1, 9, 6, 6), K(d.weights(17, 9, 3, 3))])
    yield one_op("conv_weights_at_run_time", "Conv", [d.positive(1, 6, 7, 7), d.weights(10, 6, 3, 3), d.grid(10)], pads=[1, 1, 1, 1])
    sizes = [(1, 8, 9), (3, 12, 7), (2, 3, 3)]
    sets = [{"a": d.positive(n, 5, h, w)} for n, h, w in sizes]
    yield one_op("conv_symbolic", "Conv", [sets[0]["a"], K(d.weights(12, 5, 3, 3)), K(d.grid(12))], pads=[1, 1, 1, 1], strides=[2, 2],
                 symbols={"a": ("N", 5, "H", "W")}, more=sets[1:])


def conv_transpose_cases():
    rows = [("2x2_stride2", 14, 9, (5, 6), (2, 2), {"strides": [2, 2]}),
            ("4x4_stride2", 7, 11, (6, 5), (4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("3x3_output_padding", 5, 6, (7, 4), (3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
            ("3x3_dilated", 4, 5, (5, 6), (3, 3), {"dilations": [2, 2]}),
            ("groups", 8, 12, (5, 5), (3, 3), {"group": 4, "pads": [1, 0, 0, 1]}),
            ("depthwise", 9, 9, (6, 6), (4, 4), {"group": 9, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("output_shape", 3, 4, (5, 5), (3, 3), {"strides": [2, 2], "output_shape": [10, 9]}),
            ("same_upper", 3, 4, (5, 6), (3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
            ("1d", 10, 6, (13,), (8,), {"strides": [4], "pads": [2, 2]})]
    for name, c_in, c_out, size, kernel, attributes in rows:
        d = Data(f"conv_transpose_{name}")
        weights = d.grid(c_in, c_out // attributes.get("group", 1), *kernel, low=4)
        yield one_op(f"conv_transpose_{name}", "ConvTranspose", [d.positive(2, c_in, *size), K(weights), K(d.positive(c_out))], **attributes)


def matrix_cases():
    for m, k, n in [(1, 1, 1), (1, 65, 33), (7, 5, 3), (6, 16, 16), (13, 31, 17), (33, 70, 49), (1, 128, 200), (130, 9, 1), (5, 257, 16), (3, 0, 4)]:
        d = Data(f"matmul_{m}_{k}_{n}")
        yield one_op(f"matmul_{m}x{k}x{n}", "MatMul", [d.grid(m, k), K(d.grid(k, n))])
    for index, (a, b) in enumerate([((5, 7), (2, 7, 3)), ((2, 1, 4, 6), (3, 6, 5)), ((6,), (6, 4)), ((3, 4, 6), (6,)), ((9,), (9,)), ((4, 3, 8), (4, 8, 3)),
                                    ((2, 3, 1, 9), (2, 3, 9, 11))]):
        d = Data(f"matmul_broadcast_{index}")
        yield one_op(f"matmul_broadcast_{index}", "MatMul", [d.grid(*a), d.grid(*b)])
    for ta, tb in itertools.product((0, 1), (0, 1)):
        d = Data(f"gemm_{ta}{tb}")
        a, b = d.grid(*((21, 9) if ta else (9, 21))), d.grid(*((19, 21) if tb else (21, 19)))
        yield one_op(f"gemm_trans{ta}{tb}", "Gemm", [a, K(b), K(d.grid(19))], transA=ta, transB=tb)
    d = Data("gemm")
    for name, shape in {"scalar": (), "column": (5, 1), "row": (1, 8), "full": (5, 8), "one": (1,)}.items():
        yield one_op(f"gemm_bias_{name}", "Gemm", [d.grid(5, 12), K(d.grid(12, 8)), d.grid(*shape)], alpha=0.5, beta=2.0)
    yield one_op("gemm_beta_zero", "Gemm", [d.grid(4, 12), K(d.grid(12, 8)), d.grid(8)], beta=0.0)
    yield one_op("gemm_symbolic", "Gemm", [d.grid(1, 24), K(d.grid(10, 24)), K(d.grid(10))], transB=1, symbols={"a": ("N", 24)},
                 more=[{"a": d.grid(n, 24)} for n in (2, 7, 64)])
    for name, equation, shapes in [("bmm", "bij,bjk->bik", [(3, 4, 5), (3, 5, 6)]), ("attention", "bqhd,bkhd->bhqk", [(2, 3, 2, 4), (2, 5, 2, 4)]),
                                   ("outer", "i,j->ij", [(4,), (5,)]), ("trace", "ii->", [(5, 5)]), ("ellipsis", "...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)])]:
        d = Data(f"einsum_{name}")
        yield one_op(f"einsum_{name}", "Einsum", [d.grid(*s) for s in shapes], equation=equation)


def pool_cases():
    rows = [("2x2", (9, 8), {"kernel_shape": [2, 2], "strides": [2, 2]}), ("3x3_stride2", (11, 12), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("ceil", (10, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}), ("5x5_same", (7, 7), {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]}),
            ("same_lower", (9, 10), {"kernel_shape": [2, 4], "strides": [2, 3], "auto_pad": "SAME_LOWER"}),
            ("asymmetric", (8, 6), {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1], "strides": [1, 2]}),
            ("1d", (23,), {"kernel_shape": [3], "strides": [2]}), ("3d", (5, 6, 4), {"kernel_shape": [2, 3, 2], "strides": [1, 2, 1]})]
    for name, size, attributes in rows:
        d = Data(f"pool_{name}")
        x = d.grid(2, 19, *size)
        yield one_op(f"max_pool_{name}", "MaxPool", [x], **attributes)
        for include in (0, 1):
            yield one_op(f"average_pool_{name}_include{include}", "AveragePool", [x], count_include_pad=include, **attributes)
    d = Data("pool")
    yield one_op("max_pool_indices", "MaxPool", [d.grid(1, 3, 7, 8)], outputs=2, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    yield one_op("max_pool_dilated", "MaxPool", [d.grid(1, 5, 10, 11)], kernel_shape=[3, 2], dilations=[2, 3])
    yield one_op("global_average_pool", "GlobalAveragePool", [d.positive(2, 37, 7, 5)])
    yield one_op("global_max_pool", "GlobalMaxPool", [d.grid(2, 37, 7, 5)])


def elementwise_cases():
    shapes = [("same", (3, 5, 7), (3, 5, 7)), ("scalar", (4, 19), ()), ("row", (5, 33), (33,)), ("column", (5, 33), (5, 1)), ("channel", (2, 9, 5, 3), (9, 1, 1)),
              ("both", (4, 1, 6), (5, 1)), ("outer", (17, 1), (1, 19)), ("long", (1031,), (1031,)), ("empty", (0, 4), (4,))]
    for op, (name, a, b) in itertools.product(("Add", "Sub", "Mul", "Div"), shapes):
        d = Data(f"{op}_{name}")
        yield one_op(f"{op.lower()}_{name}", op, [d.grid(*a), d.positive(*b)])
    unary = ["Abs", "Neg", "Floor", "Ceil", "Round", "Sqrt", "Exp", "Log", "Erf", "Tanh", "Sigmoid", "Relu", "Softplus", "Softsign", "Sin", "Cos", "Atan", "Sinh", "Cosh",
             "Asinh", "Reciprocal", "HardSwish", "Sign", "Mish"]
    for op in unary:
        d = Data(op)
        x = d.positive(3, 41) if op in ("Sqrt", "Log", "Reciprocal") else np.linspace(-6.03, 6.01, 123, dtype=np.float32).reshape(3, 41)
        yield one_op(f"unary_{op.lower()}", op, [x], opset=18)
    wide = np.array([0.0, -0.0, 1e-30, -1e-30, 88.0, -88.0, 104.0, -104.0, 1000.0, -1000.0, np.inf, -np.inf, np.nan, 1e38, -1e38, 1e-40], np.float32)
    for op in ("Exp", "Tanh", "Sigmoid", "Erf", "Relu", "Abs", "HardSwish", "LeakyRelu", "Elu", "Softplus", "Clip"):
        operands = [wide, K(np.float32(-3)), K(np.float32(3))] if op == "Clip" else [wide]
        yield one_op(f"extremes_{op.lower()}", op, operands)
    d = Data("elementwise")
    yield one_op("clip_no_low", "Clip", [d.grid(37), None, K(np.float32(0.3))])
    yield one_op("clip_bounds_at_run_time", "Clip", [d.grid(3, 9), np.float32(-0.4), np.float32(0.3)])
    yield one_op("prelu_channel", "PRelu", [d.grid(2, 7, 3, 5), K(d.positive(7, 1, 1))])
    yield one_op("leaky_relu", "LeakyRelu", [d.grid(5, 13)], alpha=0.1)
    yield one_op("elu", "Elu", [d.grid(5, 13)], alpha=0.7)
    yield one_op("hard_sigmoid", "HardSigmoid", [d.grid(5, 13)], alpha=1 / 6, beta=0.5)
    yield one_op("pow_square", "Pow", [d.grid(4, 9), K(np.float32(2))])
    yield one_op("pow_broadcast", "Pow", [d.positive(4, 9), d.positive(9)])
    yield one_op("where_broadcast", "Where", [d.integers(0, 2, 4, 1, 6, dtype=bool), d.grid(5, 6), d.grid(4, 5, 1)])
    yield one_op("mod_negative", "Mod", [np.array([-7, -3, 4, 7, -8], np.int64), np.array([3, -5, 3, -4, 8], np.int64)])
    yield one_op("mod_float", "Mod", [np.array([-7.5, 3.25, 5.0], np.float32), np.array([2.0, -2.0, 3.5], np.float32)], fmod=1)
    yield one_op("div_integers", "Div", [np.array([7, -7, 9, -9], np.int32), np.array([2, 2, -4, -4], np.int32)])
    yield one_op("max_three", "Max", [d.grid(3, 1, 5), d.grid(4, 1), d.grid(5)])
    yield one_op("mean_four", "Mean", [d.grid(3, 5), d.grid(3, 1), d.grid(5), d.grid(1)])
    for op in ("Greater", "LessOrEqual", "Equal"):
        yield one_op(f"compare_{op.lower()}", op, [d.grid(5, 19, low=-2, high=2), d.grid(19, low=-2, high=2)])
    values = np.array([-3.7, -0.5, 0.5, 1.5, 2.5, 100.2], np.float32)
    for target in ("INT32", "INT64", "BOOL", "FLOAT16", "DOUBLE", "INT8", "UINT8"):
        source = np.abs(values) if target == "UINT8" else values
        yield one_op(f"cast_float_to_{target.lower()}", "Cast", [source], to=getattr(TensorProto, target))
    yield one_op("cast_int64_to_float", "Cast", [np.array([0, -1, 2**40, 7], np.int64)], to=TensorProto.FLOAT)


def reduce_cases():
    for op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare"):
        for name, axes, keep in [("last", [-1], 1), ("first", [0], 0), ("middle", [1, 2], 0), ("ends", [0, 3], 1), ("all", None, 0)]:
            d = Data(f"{op}_{name}")
            x = d.positive(3, 4, 5, 19) if op != "ReduceProd" else d.grid(2, 2, 3, 3, low=12, high=20)
            yield one_op(f"{op.lower()}_{name}", op, [x] if axes is None else [x, np.array(axes, np.int64)], opset=18, keepdims=keep)
    d = Data("reduce")
    yield one_op("reduce_mean_long", "ReduceMean", [d.positive(1, 9001), K([1], np.int64)], opset=18)
    yield one_op("reduce_sum_noop", "ReduceSum", [d.grid(3, 4), np.array([], np.int64)], noop_with_empty_axes=1, keepdims=0)
    for op, axis, last in itertools.product(("ArgMax", "ArgMin"), (0, 2), (0, 1)):
        yield one_op(f"{op.lower()}_axis{axis}_last{last}", op, [d.grid(4, 5, 17, low=-3, high=3)], axis=axis, select_last_index=last, keepdims=last)
    for exclusive, reverse in itertools.product((0, 1), (0, 1)):
        yield one_op(f"cumsum_{exclusive}{reverse}", "CumSum", [d.grid(3, 7, 5), np.int64(-2)], exclusive=exclusive, reverse=reverse)
    x = d.grid(3, 11, low=-2, high=2)
    for largest in (0, 1):
        yield one_op(f"topk_largest{largest}", "TopK", [x, np.array([4], np.int64)], outputs=2, largest=largest)
    yield one_op("topk_axis0", "TopK", [d.grid(9, 4), K([3], np.int64)], outputs=2, axis=0)


def norm_cases():
    for axis, shape in [(-1, (5, 33)), (1, (2, 21, 3, 5)), (0, (7, 6)), (-1, (2, 3, 1)), (2, (1, 1, 4100))]:
        d = Data(f"softmax_{axis}_{shape}")
        name = f"axis{axis}_{'x'.join(map(str, shape))}".replace("-", "m")
        yield one_op(f"softmax_{name}", "Softmax", [d.grid(*shape, low=-64, high=64)], axis=axis)
        yield one_op(f"log_softmax_{name}", "LogSoftmax", [d.grid(*shape, low=-64, high=64)], axis=axis)
    d = Data("norm")
    masked = d.grid(3, 9)
    masked[0, 4:] = -np.inf
    yield one_op("softmax_masked", "Softmax", [masked])
    yield one_op("softmax_opset11", "Softmax", [d.grid(2, 3, 4)], opset=11, axis=1)
    for size in (1, 7, 33, 260):
        yield one_op(f"layer_norm_{size}", "LayerNormalization", [d.grid(1, 5, size), K(d.positive(size)), K(d.positive(size))], epsilon=1e-5)
    yield one_op("layer_norm_two_axes", "LayerNormalization", [d.grid(3, 4, 6), K(d.positive(4, 6)), K(d.positive(4, 6))], axis=1)
    yield one_op("layer_norm_no_bias", "LayerNormalization", [d.positive(4, 21), K(d.positive(21))], epsilon=1e-6)
    yield one_op("batch_norm", "BatchNormalization", [d.grid(2, 19, 4, 3), *(K(d.positive(19)) for _ in range(4))], epsilon=1e-3)
    yield one_op("batch_norm_2d", "BatchNormalization", [d.grid(3, 21), *(K(d.positive(21)) for _ in range(4))])
    yield one_op("instance_norm", "InstanceNormalization", [d.grid(2, 7, 5, 6), K(d.positive(7)), K(d.positive(7))])
    yield one_op("lrn", "LRN", [d.grid(2, 9, 3, 4)], size=5, alpha=0.3, beta=0.75, bias=1.5)
    yield one_op("lp_normalization", "LpNormalization", [d.positive(3, 17)], axis=-1, p=2)


def shape_cases():
    d = Data("shape")
    for perm in itertools.permutations(range(4)):
        yield one_op(f"transpose_{''.join(map(str, perm))}", "Transpose", [d.grid(2, 3, 9, 17)], perm=list(perm))
    yield one_op("transpose_5d", "Transpose", [d.grid(2, 3, 4, 5, 3)], perm=[0, 3, 1, 4, 2])
    yield one_op("transpose_large", "Transpose", [d.grid(67, 45)], perm=[1, 0])
    yield one_op("reshape_minus_one", "Reshape", [d.grid(2, 3, 4), np.array([0, -1, 2], np.int64)])
    yield one_op("reshape_allow_zero", "Reshape", [np.zeros((0, 3), np.float32), np.array([3, 0], np.int64)], allowzero=1)
    yield one_op("expand", "Expand", [d.grid(3, 1, 5), np.array([2, 1, 4, 1], np.int64)])
    yield one_op("tile", "Tile", [d.grid(2, 3), np.array([3, 2], np.int64)])
    slices = [("plain", [1, 0], [3, 9], None, None), ("negative_step", [8, -1], [0, -6], [0, 1], [-3, -1]), ("clamped", [-100, 2], [100, 2**62], [1, 0], [2, 1]),
              ("empty", [3], [1], [0], None), ("reverse_all", [-1], [-2**62], [1], [-1])]
    for name, starts, ends, axes, steps in slices:
        operands = [d.grid(9, 11), np.array(starts), np.array(ends), None if axes is None else np.array(axes), None if steps is None else np.array(steps)]
        while operands[-1] is None:
            operands.pop()
        yield one_op(f"slice_{name}", "Slice", operands)
    for axis in (0, 1, -1):
        yield one_op(f"concat_axis{axis}".replace("-", "m"), "Concat", [d.grid(*[3 + (i if j == axis % 3 else 0) for j in range(3)]) for i in range(3)], axis=axis)
    yield one_op("split_uneven", "Split", [d.grid(4, 11), np.array([2, 5, 4], np.int64)], outputs=3, axis=1)
    yield one_op("split_num_outputs", "Split", [d.grid(7, 3)], outputs=3, opset=18, num_outputs=3)
    modes = [("constant", [1, 0, 2, 0, 3, 1]), ("reflect", [1, 2, 0, 2, 1, 3]), ("edge", [2, 1, 3, 0, 4, 2]), ("wrap", [1, 0, 2, 1, 3, 0]), ("constant", [-1, 1, 0, 0, -2, 2])]
    for index, (mode, pads) in enumerate(modes):
        yield one_op(f"pad_{mode}_{index}", "Pad", [d.grid(4, 5, 6), np.array(pads, np.int64), np.float32(0.75)] if mode == "constant" else
                     [d.grid(4, 5, 6), np.array(pads, np.int64)], opset=19, mode=mode)
    for axis, shape in [(0, (2, 3)), (1, (4,)), (-1, ()), (0, (1,))]:
        data = d.grid(7, 9, 5)
        indices = d.integers(-data.shape[axis], data.shape[axis], *shape)
        yield one_op(f"gather_axis{axis}_{len(shape)}d".replace("-", "m"), "Gather", [data, indices], axis=axis)
    yield one_op("gather_elements", "GatherElements", [d.grid(4, 6, 3), d.integers(-6, 6, 4, 2, 3)], axis=1)
    yield one_op("gather_nd", "GatherND", [d.grid(4, 5, 6), d.integers(0, 4, 3, 2)])
    yield one_op("gather_nd_batch", "GatherND", [d.grid(3, 4, 5), d.integers(0, 4, 3, 2, 1)], batch_dims=1)
    indices = np.stack([d.rng.permutation(7)[:3] for _ in range(5)], 1).astype(np.int64)
    yield one_op("scatter_elements", "ScatterElements", [d.grid(7, 5), indices, d.grid(3, 5)])
    yield one_op("scatter_elements_add", "ScatterElements", [d.grid(6, 4), d.integers(0, 6, 9, 4), d.grid(9, 4)], opset=18, reduction="add")
    yield one_op("scatter_nd", "ScatterND", [d.grid(6, 4), np.array([[4], [0]], np.int64), d.grid(2, 4)])
    yield one_op("nonzero", "NonZero", [d.grid(4, 7, low=-1, high=1)])
    yield one_op("depth_to_space_dcr", "DepthToSpace", [d.grid(2, 12, 3, 5)], blocksize=2)
    yield one_op("depth_to_space_crd", "DepthToSpace", [d.grid(2, 18, 3, 2)], blocksize=3, mode="CRD")
    yield one_op("space_to_depth", "SpaceToDepth", [d.grid(2, 3, 6, 4)], blocksize=2)
    yield one_op("range_float", "Range", [np.float32(1), np.float32(5.2), np.float32(0.5)])
    yield one_op("range_down", "Range", [np.int64(9), np.int64(-2), np.int64(-3)])
    yield one_op("one_hot", "OneHot", [np.array([1, -2, 0], np.int64), K(5, np.int64), K([0.5, 2.0], np.float32)], axis=0)
    yield one_op("trilu_lower", "Trilu", [d.grid(2, 5, 7), K(-1, np.int64)], upper=0)
    yield one_op("squeeze_axes", "Squeeze", [d.grid(1, 3, 1, 4), np.array([2, 0], np.int64)])
    yield one_op("unsqueeze_axes", "Unsqueeze", [d.grid(3, 4), np.array([0, -1], np.int64)])
    yield one_op("reverse_sequence", "ReverseSequence", [d.grid(5, 3, 2), np.array([5, 1, 3], np.int64)])
    yield one_op("identity_scalar", "Identity", [np.float32(3.5)])


def resize_cases():
    # Scales that are exact in binary: with others, nearest depends on the precision of the coordinates. Where scale times size is no integer,
    # align_corners has no agreed meaning.
    rows = [(mode, transform, scales) for mode in ("nearest", "linear", "cubic") for transform in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
            for scales in ((1.0, 1.0, 2.0, 2.0), (1.0, 1.0, 0.625, 1.75))]
    for mode, transform, scales in rows:
        d = Data(f"resize_{mode}_{transform}_{scales}")
        kind = "double" if scales[2] == 2 else "odd"
        if (transform, kind) == ("align_corners", "odd"):
            continue
        yield one_op(f"resize_{mode}_{transform}_{kind}", "Resize", [d.positive(2, 3, 7, 6), None, np.array(scales, np.float32)], mode=mode,
                     coordinate_transformation_mode=transform, **({"nearest_mode": "floor"} if mode == "nearest" else {}))
    d = Data("resize")
    yield one_op("resize_sizes", "Resize", [d.positive(1, 5, 4, 9), None, None, np.array([1, 5, 11, 3], np.int64)], mode="linear")
    yield one_op("resize_nearest_prefer_ceil", "Resize", [d.positive(1, 2, 5, 5), None, K([1, 1, 1.5, 2.5], np.float32)], mode="nearest", nearest_mode="round_prefer_ceil")
    for mode, padding, align in itertools.product(("bilinear", "nearest"), ("zeros", "border", "reflection"), (0, 1)):
        yield one_op(f"grid_sample_{mode}_{padding}_{align}", "GridSample", [d.positive(2, 3, 5, 7), d.grid(2, 4, 6, 2, low=-19, high=19) + np.float32(0.013)],
                     mode=mode, padding_mode=padding, align_corners=align)


def recurrent_cases():
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}
    for kind, direction, (steps, batch, features, width) in itertools.product(gates, ("forward", "reverse", "bidirectional"), ((5, 3, 7, 9), (1, 1, 16, 16))):
        name = f"{kind.lower()}_{direction}_{width}"
        d = Data(name)
        both = 2 if direction == "bidirectional" else 1
        small = lambda *shape: K(d.grid(*shape) * np.float32(0.5))
        operands = [d.grid(steps, batch, features), small(both, gates[kind] * width, features), small(both, gates[kind] * width, width),
                    small(both, 2 * gates[kind] * width)]
        extra = {"linear_before_reset": 1} if kind == "GRU" else {}
        yield one_op(name, kind, operands, outputs=3 if kind == "LSTM" else 2, hidden_size=width, direction=direction, **extra)
    d = Data("recurrent")
    small = lambda *shape: K(d.grid(*shape) * np.float32(0.5))
    lengths = np.array([4, 1, 3], np.int32)
    yield one_op("lstm_lengths_states", "LSTM", [d.grid(4, 3, 5), small(1, 32, 5), small(1, 32, 8), small(1, 64), lengths, d.grid(1, 3, 8), d.grid(1, 3, 8)], outputs=3,
                 hidden_size=8)
    yield one_op("lstm_peepholes", "LSTM", [d.grid(3, 2, 5), small(1, 32, 5), small(1, 32, 8), small(1, 64), None, d.grid(1, 2, 8), d.grid(1, 2, 8), small(1, 24)],
                 outputs=3, hidden_size=8)
    yield one_op("gru_reset_after", "GRU", [d.grid(4, 2, 6), small(1, 21, 6), small(1, 21, 7), small(1, 42)], outputs=2, hidden_size=7, linear_before_reset=0)
    yield one_op("lstm_symbolic", "LSTM", [d.grid(2, 1, 6), small(1, 28, 6), small(1, 28, 7), small(1, 56)], outputs=3, hidden_size=7,
                 symbols={"a": ("T", "N", 6)}, more=[{"a": d.grid(t, n, 6)} for t, n in ((7, 2), (1, 5))])


def quantize_cases():
    d = Data("quantize")
    scale, zero = K(np.float32(0.0625)), K(np.uint8(131))
    halves = np.arange(-40, 41, dtype=np.float32) / 32  # many values fall on ties
    yield one_op("quantize_u8_ties", "QuantizeLinear", [halves, scale, zero])
    yield one_op("quantize_i8_saturates", "QuantizeLinear", [halves * 40, scale, K(np.int8(-3))])
    yield one_op("quantize_per_channel", "QuantizeLinear", [d.grid(3, 5, 4), K(np.array([0.1, 0.02, 0.3, 0.05, 0.011], np.float32)), K(np.zeros(5, np.int8))], axis=1)
    yield one_op("dequantize_per_channel", "DequantizeLinear", [d.integers(-128, 128, 5, 7, dtype=np.int8), K(d.positive(5)), K(d.integers(-9, 9, 5, dtype=np.int8))], axis=0)
    yield one_op("dynamic_quantize", "DynamicQuantizeLinear", [d.grid(4, 19)], outputs=3)
    u8 = lambda *shape: d.integers(0, 256, *shape, dtype=np.uint8)
    i8 = lambda *shape: d.integers(-128, 128, *shape, dtype=np.int8)
    yield one_op("matmul_integer", "MatMulInteger", [u8(5, 33), K(i8(33, 19)), K(np.uint8(120)), K(np.int8(3))])
    yield one_op("conv_integer", "ConvInteger", [u8(1, 7, 6, 5), K(u8(9, 7, 3, 3)), K(np.uint8(77)), K(np.uint8(140))], pads=[1, 1, 1, 1])
    yield one_op("qlinear_matmul", "QLinearMatMul", [u8(4, 17), K(np.float32(0.02)), K(np.uint8(110)), K(i8(17, 9)), K(np.float32(0.03)), K(np.int8(0)), K(np.float32(0.5)),
                                                     K(np.uint8(128))])
    yield one_op("qlinear_conv", "QLinearConv", [u8(1, 5, 8, 7), K(np.float32(0.02)), K(np.uint8(120)), K(i8(11, 5, 3, 3)), K(np.full(11, 0.013, np.float32)),
                                                 K(np.zeros(11, np.int8)), K(np.float32(0.21)), K(np.uint8(130)), K(d.integers(-500, 500, 11, dtype=np.int32))],
                 pads=[1, 1, 1, 1], strides=[2, 2])


def pattern_cases():
    """What exporters write for one thing: fusion and raising must not change the answer, nor fire where they may not."""
    d = Data("pattern")
    f = lambda value: K(np.float32(value))
    x = d.grid(3, 35, low=-48, high=48)
    gelu = [("Div", "xr", "d", {}), ("Erf", "d", "e", {}), ("Add", "eo", "s", {}), ("Mul", "xs", "m", {}), ("Mul", "mh", "y", {})]
    yield Case("pattern_gelu_erf", gelu, {"x": x, "r": f(2 ** 0.5), "o": f(1), "h": f(0.5)})
    yield Case("pattern_gelu_wrong_constant", gelu, {"x": x, "r": f(1.3), "o": f(1), "h": f(0.5)})
    yield Case("pattern_gelu_used_inside", gelu, {"x": x, "r": f(2 ** 0.5), "o": f(1), "h": f(0.5)}, outputs=("y", "e"))
    tanh = [("Pow", "xt", "p", {}), ("Mul", "pc", "q", {}), ("Add", "xq", "s", {}), ("Mul", "sk", "u", {}), ("Tanh", "u", "v", {}), ("Add", "vo", "w", {}),
            ("Mul", "xw", "z", {}), ("Mul", "zh", "y", {})]
    yield Case("pattern_gelu_tanh", tanh, {"x": x, "t": f(3), "c": f(0.044715), "k": f((2 / np.pi) ** 0.5), "o": f(1), "h": f(0.5)})
    yield Case("pattern_silu", [("Sigmoid", "x", "s", {}), ("Mul", "xs", "y", {})], {"x": x})
    yield Case("pattern_hard_swish", [("Add", "xt", "a", {}), ("Clip", "azs", "c", {}), ("Mul", "xc", "m", {}), ("Div", "ms", "y", {})],
               {"x": x, "t": f(3), "z": f(0), "s": f(6)})
    yield Case("pattern_hard_swish_hard_sigmoid", [("HardSigmoid", "x", "s", {"alpha": 1 / 6, "beta": 0.5}), ("Mul", "xs", "y", {})], {"x": x})
    norm = [("ReduceMean", "x", "m", {"axes": [-1]}), ("Sub", "xm", "c", {}), ("Pow", "ct", "p", {}), ("ReduceMean", "p", "v", {"axes": [-1]}), ("Add", "ve", "a", {}),
            ("Sqrt", "a", "s", {}), ("Div", "cs", "n", {}), ("Mul", "nw", "g", {}), ("Add", "gb", "y", {})]
    yield Case("pattern_layer_norm", norm, {"x": x, "t": f(2), "e": f(1e-5), "w": K(d.positive(35)), "b": K(d.positive(35))})
    rms = [("Pow", "xt", "p", {}), ("ReduceMean", "p", "v", {"axes": [-1]}), ("Add", "ve", "a", {}), ("Sqrt", "a", "s", {}), ("Div", "os", "r", {}), ("Mul", "xr", "n", {}),
           ("Mul", "nw", "y", {})]
    yield Case("pattern_rms_norm", rms, {"x": x, "t": f(2), "e": f(1e-6), "o": f(1), "w": K(d.positive(35))})
    attention = [("Transpose", "k", "t", {"perm": [0, 1, 3, 2]}), ("MatMul", "qt", "s", {}), ("Div", "sd", "z", {}), ("Add", "zm", "a", {}), ("Softmax", "a", "p", {"axis": -1}),
                 ("MatMul", "pv", "y", {})]
    q, k, v = d.grid(2, 3, 7, 16), d.grid(2, 3, 11, 16), d.positive(2, 3, 11, 20)
    blocked = np.where(d.rng.random((2, 1, 7, 11)) < 0.3, -1e9, 0).astype(np.float32)
    yield Case("pattern_attention", attention, {"q": q, "k": k, "v": v, "d": f(4), "m": blocked})
    yield Case("pattern_attention_scale_inside", [("Mul", "qr", "a", {}), ("Transpose", "k", "t", {"perm": [0, 1, 3, 2]}), ("Mul", "tr", "b", {}), ("MatMul", "ab", "s", {}),
                                                  ("Softmax", "s", "p", {"axis": -1}), ("MatMul", "pv", "y", {})], {"q": q, "k": k, "v": v, "r": f(0.5)})
    image, weights, bias = d.positive(2, 9, 7, 8), K(d.weights(13, 9, 3, 3)), K(d.grid(13))
    conv = lambda out: ("Conv", "xwb", out, {"pads": [1, 1, 1, 1]})
    operands = {"x": image, "w": weights, "b": bias}
    yield Case("pattern_conv_relu", [conv("c"), ("Relu", "c", "y", {})], operands)
    yield Case("pattern_conv_relu6_add", [conv("c"), ("Clip", "clh", "r", {}), ("Add", "ra", "y", {})], {**operands, "l": f(0), "h": f(6), "a": d.grid(2, 13, 7, 8)})
    yield Case("pattern_conv_add_relu", [conv("c"), ("Add", "ca", "s", {}), ("Relu", "s", "y", {})], {**operands, "a": d.grid(2, 13, 7, 8)})
    yield Case("pattern_conv_add_self_used_twice", [conv("c"), ("Relu", "c", "r", {}), ("Add", "cr", "y", {})], operands, outputs=("y", "c"))
    yield Case("pattern_conv_batch_norm", [conv("c"), ("BatchNormalization", "csomv", "y", {})],
               {**operands, **{n: K(d.positive(13)) for n in "somv"}})
    yield Case("pattern_conv_silu", [conv("c"), ("Mul", "cu", "z", {}), ("Sigmoid", "z", "s", {}), ("Mul", "zs", "y", {})], {**operands, "u": f(1 / 64)})
    yield Case("pattern_pad_conv", [("Pad", "xp", "z", {}), ("Conv", "zwb", "y", {"strides": [2, 2]})], {**operands, "p": K([0, 0, 0, 1, 0, 0, 1, 2], np.int64)})
    yield Case("pattern_squeeze_excite", [("GlobalAveragePool", "x", "g", {}), ("Conv", "gw", "a", {}), ("Relu", "a", "r", {}), ("Conv", "rv", "b", {}),
                                          ("HardSigmoid", "b", "s", {"alpha": 1 / 6, "beta": 0.5}), ("Mul", "xs", "y", {})],
               {"x": image, "w": K(d.weights(4, 9, 1, 1)), "v": K(d.grid(9, 4, 1, 1))})
    yield Case("pattern_channel_shuffle", [("Reshape", "xs", "a", {}), ("Transpose", "a", "b", {"perm": [0, 2, 1, 3, 4]}), ("Reshape", "bf", "y", {})],
               {"x": d.grid(2, 12, 3, 5), "s": K([2, 3, 4, 3, 5], np.int64), "f": K([2, 12, 3, 5], np.int64)})
    yield Case("pattern_matmul_add_bias", [("MatMul", "xw", "m", {}), ("Add", "bm", "y", {})], {"x": d.grid(3, 5, 17), "w": K(d.grid(17, 21)), "b": K(d.grid(21))})
    yield Case("pattern_concat_of_convs", [conv("c"), ("Conv", "xvu", "e", {}), ("Concat", "cxe", "y", {"axis": 1})],
               {**operands, "v": K(d.weights(5, 9, 1, 1)), "u": K(d.grid(5))})
    yield Case("pattern_flatten_dynamic", [("Shape", "x", "s", {}), ("Gather", "sz", "n", {"axis": 0}), ("Concat", "nm", "t", {"axis": 0}), ("Reshape", "xt", "y", {})],
               {"x": d.grid(2, 3, 4), "z": K([0], np.int64), "m": K([-1], np.int64)}, symbols={"x": ("N", 3, "L")}, more=[{"x": d.grid(5, 3, 1)}, {"x": d.grid(1, 3, 9)}])
    yield Case("pattern_dead_and_shared", [("Add", "xx", "a", {}), ("Mul", "aa", "y", {}), ("Relu", "a", "d", {})], {"x": x})
    yield Case("pattern_input_is_output", [("Identity", "x", "y", {})], {"x": x})
    yield Case("pattern_constant_output", [("Identity", "c", "y", {}), ("Add", "xc", "z", {})], {"x": d.grid(3), "c": K(d.grid(3))}, outputs=("y", "z"))


def microsoft_cases():
    """Operators that ONNX Runtime's optimizers and model builders write."""
    d = Data("microsoft")
    ms = {"domain": "com.microsoft"}
    batch, length, past, heads, size = 2, 3, 4, 4, 16
    width = heads * size
    q, k, v = d.grid(batch, length, width), d.grid(batch, length, width), d.grid(batch, length, width)
    past_k, past_v = d.grid(batch, heads, past, size), d.grid(batch, heads, past, size)
    yield one_op("ms_attention", "Attention", [q, K(d.grid(width, 3 * width)), K(d.grid(3 * width))], num_heads=heads, **ms)
    yield one_op("ms_attention_causal", "Attention", [q, K(d.grid(width, 3 * width)), K(d.grid(3 * width))], num_heads=heads, unidirectional=1, **ms)
    yield one_op("ms_attention_past", "Attention", [q, K(d.grid(width, 3 * width)), K(d.grid(3 * width)), None, np.stack([past_k, past_v])], 2, num_heads=heads,
                 unidirectional=1, **ms)
    yield one_op("ms_multi_head_attention", "MultiHeadAttention", [q, k, v, K(d.grid(3 * width))], num_heads=heads, **ms)
    yield one_op("ms_multi_head_attention_mask", "MultiHeadAttention", [q, k, v, None, np.array([[1, 1, 1], [1, 1, 0]], np.int32)], num_heads=heads, **ms)
    yield one_op("ms_multi_head_attention_past", "MultiHeadAttention", [q, k, v, K(d.grid(3 * width)), None, None, past_k, past_v], 3, num_heads=heads, **ms)
    kv_heads = 2
    k, v = d.grid(batch, length, kv_heads * size), d.grid(batch, length, kv_heads * size)
    past_k, past_v = d.grid(batch, kv_heads, past, size), d.grid(batch, kv_heads, past, size)
    angles = np.arange(16)[:, None] / 100.0 ** (np.arange(size // 2) / (size // 2))
    rotary = [K(np.cos(angles).astype(np.float32)), K(np.sin(angles).astype(np.float32))]
    total = lambda n: [np.full(batch, n - 1, np.int32), K(n, np.int32)]
    none = np.zeros((batch, kv_heads, 0, size), np.float32)
    common = dict(num_heads=heads, kv_num_heads=kv_heads, **ms)
    yield one_op("ms_group_query_attention_prompt", "GroupQueryAttention", [q, k, v, none, none, *total(length)], 3, **common)
    yield one_op("ms_group_query_attention_past", "GroupQueryAttention", [q[:, :1], k[:, :1], v[:, :1], past_k, past_v, *total(past + 1)], 3, **common)
    yield one_op("ms_group_query_attention_rotary", "GroupQueryAttention", [q[:, :1], k[:, :1], v[:, :1], past_k, past_v, *total(past + 1), *rotary], 3, do_rotary=1,
                 **common)
    yield one_op("ms_group_query_attention_packed", "GroupQueryAttention", [np.concatenate([q, k, v], 2), None, None, none, none, *total(length), *rotary], 3, do_rotary=1,
                 rotary_interleaved=1, scale=0.25, **common)
    x, skip, scale, bias = d.grid(batch, length, width), d.grid(batch, length, width), K(d.positive(width)), K(d.grid(width))
    yield one_op("ms_skip_layer_norm", "SkipLayerNormalization", [x, skip, scale, bias, K(d.grid(width))], epsilon=1e-5, **ms)
    yield one_op("ms_skip_rms_norm", "SkipSimplifiedLayerNormalization", [x, skip, scale], epsilon=1e-5, **ms)
    yield one_op("ms_gelu", "Gelu", [x], **ms)
    yield one_op("ms_bias_gelu", "BiasGelu", [x, bias], **ms)
    yield one_op("ms_fast_gelu", "FastGelu", [x, bias], **ms)
    yield one_op("ms_quick_gelu", "QuickGelu", [x], alpha=1.5, **ms)
    yield one_op("ms_fused_matmul", "FusedMatMul", [d.grid(2, 7, 5), d.grid(2, 9, 7)], transA=1, transB=1, alpha=0.5, **ms)
    yield one_op("ms_fused_conv", "FusedConv", [d.positive(1, 5, 7, 6), K(d.weights(8, 5, 3, 3)), K(d.grid(8))], activation="Relu", pads=[1, 1, 1, 1], **ms)
    yield one_op("ms_trilu", "Trilu", [d.grid(3, 5, 6), K(1, np.int64)], upper=0, **ms)
    yield one_op("ms_expand_dims", "ExpandDims", [d.grid(3, 5), K(-1, np.int32)], **ms)
    yield one_op("ms_rotary_embedding", "RotaryEmbedding", [x, np.tile(np.arange(length), (batch, 1)), *rotary], num_heads=heads, **ms)
    packed = K(d.integers(0, 256, 9, 2, 16, dtype=np.uint8))
    yield one_op("ms_matmul_n_bits", "MatMulNBits", [d.grid(3, 64), packed, K(d.positive(18) / 16)], K=64, N=9, bits=4, block_size=32, **ms)


# Cases in which the reference evaluator is wrong: PyTorch, or the same case written another way, confirms ONNX Runtime.
REFERENCE_WRONG = {
    "conv_valid": "VALID with a stride of 1", "conv_transpose_depthwise": "groups", "conv_same_lower": "wrong padding", "max_pool_same_lower": "wrong padding", "lrn": "odd window",
    "softmax_opset11": "has the meaning of opset 13", "extremes_softplus": "overflows", "gru_reverse_9": "ignores the direction",
    "rnn_reverse_9": "ignores the direction"}

FAMILIES = (conv_cases, conv_transpose_cases, matrix_cases, pool_cases, elementwise_cases, reduce_cases, norm_cases, shape_cases, resize_cases, recurrent_cases,
            quantize_cases, pattern_cases, microsoft_cases)


def pack(folder, archive):
    """A tar that has the same bytes each time, through zstd."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = tarfile.TarInfo(f"cases/{path.relative_to(folder)}")
                info.size = path.stat().st_size
                tar.addfile(info, io.BytesIO(path.read_bytes()))
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(subprocess.run(["zstd", "-19", "--long=27", "-c"], input=buffer.getvalue(), capture_output=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "tests" / "models" / "cases.tar.zst")
    parser.add_argument("--only", default="", metavar="PREFIX")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    cases = [case for family in FAMILIES for case in family() if case.name.startswith(args.only)]
    assert len({case.name for case in cases}) == len(cases), "two cases of one name"
    if args.list:
        print("\n".join(case.name for case in cases))
        return 0
    wrong, alone = [], []
    with tempfile.TemporaryDirectory() as work:
        folder = args.out if not args.out.name.endswith(".tar.zst") else pathlib.Path(work)
        for case in cases:
            try:
                answers = case.answers()
                verdict = case.disagreement(answers)
                if verdict and case.name not in REFERENCE_WRONG:
                    wrong.append(f"{case.name}: ONNX Runtime and the reference disagree on '{verdict}'")
                    continue
                alone += [case.name] if verdict is None else []
                case.write(folder, answers)
            except Exception as problem:
                wrong.append(f"{case.name}: {str(problem).strip().splitlines()[0]}")
        if folder != args.out:
            pack(folder, args.out)
    print("\n".join(wrong))
    print(f"{len(cases) - len(wrong)} cases in {args.out}, {len(alone)} of them by ONNX Runtime alone ({', '.join(alone)}); {len(wrong)} left out")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
