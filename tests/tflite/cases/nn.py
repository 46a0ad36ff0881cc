"""Convolutions, products, pools and resizing, in every combination of types that LiteRT has."""
import itertools

import numpy as np

from ai_edge_litert import schema_py_generated as schema

from .binary import ACTIVATIONS
from .common import QUANTIZED, Case, Graph, Op, Q, T, const, feed, i32, narrow, one, out, quant, rng, shape_name, values

SAME, VALID = 0, 1
# name: activations, weights, per channel, bias type
SCHEMES = {
    "f32": ("f32", "f32", False, "f32"), "i8": ("i8", "i8", True, "i32"), "i8_tensor": ("i8", "i8", False, "i32"), "u8": ("u8", "u8", False, "i32"),
    "i16": ("i16", "i8", True, "i64"), "i16_b32": ("i16", "i8", True, "i32"), "i16_tensor": ("i16", "i8", False, "i64"), "hybrid": ("f32", "i8", True, "f32"),
    "hybrid_tensor": ("f32", "i8", False, "f32"), "hybrid_u8": ("f32", "u8", False, "f32"), "hybrid_i4": ("f32", "i4", True, "f32"), "i8_i4": ("i8", "i4", True, "i32"),
    "hybrid_i2": ("f32", "i2", True, "f32"), "i8_i2": ("i8", "i2", True, "i32"), "i16_i4": ("i16", "i4", True, "i64"),
}


def activation(dtype, shape, key, zero=None):
    return feed(dtype, values(dtype, shape, key), q=quant(dtype, key, zero=zero))


def weights(dtype, shape, axis, per_channel, key, hybrid=False):
    """Constants with scales along `axis`; symmetric unless u8."""
    if dtype == "f32":
        return const("f32", values("f32", shape, key))
    n = shape[axis] if per_channel else 1
    scales = rng("w", key).uniform(0.004, 0.04, n) * {"i4": 16, "i2": 60}.get(dtype, 1)
    v = values(dtype, shape, key)
    return const(dtype, narrow(dtype, v) if hybrid else v, q=Q(scales, 131 if dtype == "u8" else 0, axis if per_channel else 0))


def bias_of(dtype, n, x, w, key):
    if dtype == "f32":
        return const("f32", values("f32", (n,), key))
    scales = x.q.scale[0] * w.q.scale
    return const(dtype, rng("bias", key).integers(-4000, 4000, n), q=Q(scales, np.zeros(len(scales), int), 0))


def result_of(dtype, depth, key):
    """A result's quantization that neither saturates all nor wastes the range."""
    if dtype not in QUANTIZED:
        return out(dtype)
    step = 1 / 256 if dtype == "i16" else 1
    q = quant(dtype, key + "y", scale=0.1 * np.sqrt(depth) * float(rng("ys", key).uniform(0.5, 2)) * step)
    return out(dtype, q)


def layer(op, name, scheme, shape, w_shape, axis, options, depth, n, has_bias=True, version=1, order=(0, 1, 2), front=()):
    act, wt, per_channel, bias = SCHEMES[scheme]
    key = f"{op}{name}"
    x = activation(act, shape, key)
    w = weights(wt, w_shape, axis, per_channel, key, act == "f32")
    operands = [x, w, bias_of(bias, n, x, w, key) if has_bias else None]
    if act == "i16" and bias == "i32":
        options = options | {"quantized_bias_type": schema.TensorType.INT32}
    if not has_bias:
        operands = operands[:2] if act == "f32" and len(name) % 2 else operands
    return one(op, f"{scheme}_{name}", [*front, *[operands[i] for i in order if i < len(operands)]], [result_of(act, depth, key)], options, version=version)


def convolutions():
    table = [  # input, output channels, kernel, stride, dilation, padding
        ((1, 5, 5, 3), 4, (3, 3), (1, 1), (1, 1), SAME), ((2, 7, 6, 2), 3, (3, 3), (2, 2), (1, 1), SAME), ((1, 8, 9, 4), 5, (3, 2), (2, 1), (1, 1), VALID),
        ((1, 9, 9, 3), 2, (3, 3), (1, 1), (2, 2), SAME), ((1, 9, 10, 1), 6, (3, 3), (1, 1), (2, 3), VALID), ((3, 4, 4, 8), 16, (1, 1), (1, 1), (1, 1), SAME),
        ((1, 6, 6, 5), 7, (1, 1), (2, 2), (1, 1), VALID), ((1, 1, 13, 4), 3, (1, 5), (1, 2), (1, 1), SAME), ((1, 12, 1, 17), 19, (4, 1), (3, 1), (1, 1), SAME),
        ((1, 4, 5, 33), 9, (3, 3), (1, 1), (1, 1), SAME), ((1, 3, 3, 2), 2, (5, 5), (1, 1), (1, 1), SAME), ((1, 3, 2, 64), 35, (1, 1), (1, 1), (1, 1), VALID),
    ]
    for scheme in SCHEMES:
        if scheme == "hybrid_i2":  # LiteRT reads past the weights
            continue
        for i, (shape, n, kernel, stride, dilation, padding) in enumerate(table):
            options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], "dilation_h_factor": dilation[0], "dilation_w_factor": dilation[1], "fused_activation_function": (0, 1, 3, 2)[i % 4]}
            yield layer("CONV_2D", str(i), scheme, shape, (n, *kernel, shape[3]), 0, options, kernel[0] * kernel[1] * shape[3], n, has_bias=i % 5 != 4)
        shape = (1, 4, 5, 8)  # grouped
        yield layer("CONV_2D", "groups", scheme, shape, (6, 3, 3, 4), 0, {"padding": SAME, "stride_h": 1, "stride_w": 1, "fused_activation_function": 1}, 36, 6)
    for scheme in ("f32", "i8", "i16", "u8"):
        for name, a in ACTIVATIONS.items():
            yield layer("CONV_2D", name, scheme, (1, 4, 4, 3), (5, 3, 3, 3), 0, {"padding": SAME, "stride_h": 1, "stride_w": 1, "fused_activation_function": a}, 27, 5)


def depthwise():
    table = [((1, 5, 5, 3), 1, (3, 3), (1, 1), (1, 1), SAME), ((2, 7, 6, 2), 1, (3, 3), (2, 2), (1, 1), SAME), ((1, 8, 9, 4), 2, (3, 2), (2, 2), (1, 1), VALID), ((1, 9, 9, 3), 1, (3, 3), (1, 1), (2, 2), SAME),
             ((1, 9, 10, 1), 8, (3, 3), (1, 1), (2, 2), VALID), ((1, 4, 4, 17), 1, (3, 3), (1, 1), (1, 1), SAME), ((1, 10, 4, 1), 8, (10, 4), (2, 2), (1, 1), SAME), ((1, 6, 6, 5), 3, (1, 1), (1, 1), (1, 1), SAME),
             ((1, 11, 1, 6), 1, (5, 1), (1, 1), (1, 1), VALID), ((1, 6, 6, 64), 1, (3, 3), (2, 2), (1, 1), SAME), ((1, 12, 12, 2), 1, (5, 5), (1, 1), (1, 1), SAME), ((1, 8, 7, 3), 1, (3, 3), (2, 1), (1, 1), SAME)]
    for scheme in SCHEMES:
        if scheme == "hybrid_tensor":  # LiteRT reads past the only scale
            continue
        for i, (shape, m, kernel, stride, dilation, padding) in enumerate(table):
            n = shape[3] * m
            options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], "dilation_h_factor": dilation[0], "dilation_w_factor": dilation[1], "depth_multiplier": m,
                       "fused_activation_function": (0, 3, 1, 2)[i % 4]}
            yield layer("DEPTHWISE_CONV_2D", str(i), scheme, shape, (1, *kernel, n), 3, options, kernel[0] * kernel[1], n, has_bias=i % 5 != 4)


def transposed():
    table = [((1, 4, 4, 2), 3, (3, 3), (2, 2), SAME, (8, 8)), ((1, 3, 4, 3), 2, (3, 3), (1, 1), VALID, (5, 6)), ((2, 2, 3, 1), 4, (2, 2), (2, 2), VALID, (4, 6)), ((1, 5, 5, 4), 1, (5, 4), (3, 2), SAME, (15, 10)),
             ((1, 3, 3, 8), 5, (1, 1), (1, 1), SAME, (3, 3)), ((1, 4, 3, 2), 3, (3, 3), (2, 3), SAME, (7, 8)), ((1, 1, 7, 6), 3, (1, 4), (1, 2), VALID, (1, 16))]
    for scheme in SCHEMES:
        for i, (shape, n, kernel, stride, padding, size) in enumerate(table):
            for has_bias in (True, False):
                c = layer("TRANSPOSE_CONV", f"{i}_{'bias' if has_bias else 'plain'}", scheme, shape, (n, *kernel, shape[3]), 0,
                          {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], "fused_activation_function": i % 2}, kernel[0] * kernel[1] * shape[3] / 3, n, has_bias=has_bias,
                          version=3 if has_bias else 1, order=(1, 0, 2), front=(i32([shape[0], *size, n]),))
                yield c


def volumes():
    for i, (shape, n, kernel, stride, dilation, padding) in enumerate([((1, 4, 5, 4, 2), 3, (2, 3, 2), (1, 1, 1), (1, 1, 1), SAME), ((2, 3, 4, 5, 1), 2, (2, 2, 2), (1, 2, 2), (1, 1, 1), VALID),
                                                                      ((1, 6, 6, 6, 2), 2, (2, 2, 3), (1, 1, 1), (2, 2, 1), VALID), ((1, 3, 3, 3, 4), 4, (1, 1, 1), (2, 1, 1), (1, 1, 1), SAME)]):
        for has_bias in (True, False):
            options = {"padding": padding, "stride_d": stride[0], "stride_h": stride[1], "stride_w": stride[2], "dilation_d_factor": dilation[0], "dilation_h_factor": dilation[1],
                       "dilation_w_factor": dilation[2], "fused_activation_function": i % 2}
            operands = [feed("f32", values("f32", shape)), const("f32", values("f32", (*kernel, shape[4], n)))] + ([const("f32", values("f32", (n,)))] if has_bias else [])
            yield one("CONV_3D", f"f32_{i}_{has_bias}", operands, [out("f32")], options)
    for i, (shape, n, kernel, stride, padding, size) in enumerate([((1, 2, 3, 2, 2), 3, (2, 2, 2), (2, 2, 2), VALID, (4, 6, 4)), ((1, 3, 3, 3, 1), 2, (3, 3, 2), (1, 1, 1), SAME, (3, 3, 3)), ((2, 2, 2, 3, 4), 1, (1, 3, 2), (1, 2, 2), SAME, (2, 4, 6))]):
        for has_bias in (True, False):
            options = {"padding": padding, "stride_d": stride[0], "stride_h": stride[1], "stride_w": stride[2], "dilation_d_factor": 1, "dilation_h_factor": 1, "dilation_w_factor": 1, "fused_activation_function": i % 2}
            operands = [i32([shape[0], *size, n]), const("f32", values("f32", (*kernel, n, shape[4]))), feed("f32", values("f32", shape))] + ([const("f32", values("f32", (n,)))] if has_bias else [])
            yield one("CONV_3D_TRANSPOSE", f"f32_{i}_{has_bias}", operands, [out("f32")], options, options_type="Conv3DOptions")


def products():
    table = [((1, 8), 4), ((3, 7), 5), ((2, 64), 17), ((5, 1), 1), ((2, 3, 6), 4), ((1, 2, 2, 5), 3), ((4, 33), 8), ((1, 640), 12), ((17, 16), 3)]
    for scheme in SCHEMES:
        for i, (shape, n) in enumerate(table):
            k = shape[-1] if len(shape) != 4 else int(np.prod(shape[1:]))
            options = {"fused_activation_function": (0, 1, 3, 0, 2)[i % 5], "keep_num_dims": i % 2 == 0 and len(shape) == 3}
            yield layer("FULLY_CONNECTED", str(i), scheme, shape, (n, k), 0, options, k, n, has_bias=i % 4 != 3)
            if scheme.startswith("hybrid"):
                yield layer("FULLY_CONNECTED", f"asymmetric_{i}", scheme, shape, (n, k), 0, options | {"asymmetric_quantize_inputs": True}, k, n, has_bias=i % 4 != 3)
    # Both operands computed at run time; integer weights with per-tensor activations of 16 bits in the result.
    yield one("FULLY_CONNECTED", "f32_fed", [feed("f32", values("f32", (3, 5))), feed("f32", values("f32", (4, 5))), None], [out("f32")])
    yield one("FULLY_CONNECTED", "i8_fed", [activation("i8", (3, 5), "x"), activation("i8", (4, 5), "w", zero=0), None], [out("i8", Q(0.1, 3))])
    yield one("FULLY_CONNECTED", "u8_i16", [activation("u8", (3, 8), "x"), const("u8", values("u8", (4, 8)), q=Q(0.01, 120)), const("i32", [1, -200, 300, 4])], [out("i16", Q(1 / 4096, 0))])
    half = const("f16", values("f16", (4, 6)))
    wide = out("f32")
    x = feed("f32", values("f32", (3, 6)))
    y = out("f32")
    yield Case("FULLY_CONNECTED", "f16_weights", [Graph([Op("DEQUANTIZE", [half], [wide]), Op("FULLY_CONNECTED", [x, wide, const("f32", values("f32", (4,)))], [y])])])
    for n, k, block in ((4, 64, 32), (3, 96, 32), (2, 256, 64)):
        w = const("i4", values("i4", (n, k)))
        w.block = (const("f16", rng(n, k).uniform(0.01, 0.1, (n, k // block)).astype(np.float16)), block)
        yield one("FULLY_CONNECTED", f"blockwise_{n}_{k}", [feed("f32", values("f32", (3, k))), w, None], [out("f32")], version=13)
    for n, k in ((4, 64), (8, 32)):
        for blocked in (False, True):
            yield sparse_product(n, k, blocked)


def sparse_weights(dense, blocked):
    """The schema's sparse form of a matrix: rows dense, columns compressed, or 1x16 blocks of columns."""
    n, k = dense.shape
    step = 16 if blocked else 1
    segments, indices, kept = [0], [], []
    for row in dense:
        for c in range(0, k, step):
            if np.any(row[c:c + step]):
                indices.append(c // step)
                kept.append(row[c:c + step])
        segments.append(len(indices))
    s = schema.SparsityParametersT()
    s.traversalOrder = np.array([0, 1, 2] if blocked else [0, 1], np.int32)
    s.blockMap = np.array([1], np.int32) if blocked else None
    rows, columns = schema.DimensionMetadataT(), schema.DimensionMetadataT()
    rows.format, rows.denseSize = schema.DimensionType.DENSE, n
    columns.format = schema.DimensionType.SPARSE_CSR
    for field, data in (("Segments", segments), ("Indices", indices)):
        v = schema.Int32VectorT()
        v.values = np.array(data, np.int32)
        setattr(columns, "array" + field, v)
        setattr(columns, f"array{field}Type", schema.SparseIndexVector.Int32Vector)
    s.dimMetadata = [rows, columns]
    if blocked:
        inner = schema.DimensionMetadataT()
        inner.format, inner.denseSize = schema.DimensionType.DENSE, step
        s.dimMetadata.append(inner)
    return s, np.concatenate(kept)


def sparse_tensor(dtype, dense, blocked, q=None):
    s, kept = sparse_weights(dense, blocked)
    return T(dtype, dense.shape, data=kept, q=q, sparsity=s)


def sparse_matrix(n, k, blocked, dtype="f32"):
    dense = values(dtype, (n, k), "sparse")
    mask = rng("mask", n, k).integers(0, 3, (n, k // (16 if blocked else 1))) == 0
    mask[:, 0] = True
    return dense * np.repeat(mask, 16 if blocked else 1, 1)


def sparse_product(n, k, blocked):
    w = sparse_tensor("f32", sparse_matrix(n, k, blocked), blocked)
    return one("FULLY_CONNECTED", f"sparse_{n}_{k}_{blocked}", [feed("f32", values("f32", (3, k))), w, const("f32", values("f32", (n,)))], [out("f32")], version=8)


def densify():
    for n, k in ((4, 32), (3, 16)):
        for blocked in (False, True):
            for dtype in ("f32", "i8", "f16"):
                q = quant(dtype)
                yield one("DENSIFY", f"{dtype}_{n}_{k}_{blocked}", [sparse_tensor(dtype, sparse_matrix(n, k, blocked, dtype), blocked, q)], [out(dtype, q)])


def matmuls():
    table = [((2, 3), (3, 4)), ((1, 5), (5, 1)), ((2, 3, 4), (2, 4, 5)), ((1, 2, 3), (4, 3, 2)), ((2, 1, 3, 4), (1, 3, 4, 2)), ((3, 4), (2, 4, 5)), ((2, 2, 2, 3, 4), (2, 1, 2, 4, 3)), ((7, 33), (33, 9))]
    for i, (a, b) in enumerate(table):
        for ta, tb in itertools.product((False, True), repeat=2):
            sa = a[:-2] + (a[-1], a[-2]) if ta else a
            sb = b[:-2] + (b[-1], b[-2]) if tb else b
            for dtype in ("f32", "i8", "i16", "i32"):
                if dtype != "f32" and i % 2 and ta != tb:
                    continue
                x, y = activation(dtype, sa, "mma"), (activation(dtype, sb, "mmb") if i % 3 else const(dtype, values(dtype, sb, "mmb"), q=quant(dtype, "mmb")))
                yield one("BATCH_MATMUL", f"{dtype}_{i}_{ta}_{tb}", [x, y], [result_of(dtype, a[-1], f"mm{i}") if dtype != "i32" else out("i32")], {"adj_x": ta, "adj_y": tb})
            y = const("i8", narrow("i8", values("i8", sb, "mmb")), q=Q(0.02, 0))
            for asymmetric in (False, True):
                yield one("BATCH_MATMUL", f"hybrid_{i}_{ta}_{tb}_{asymmetric}", [feed("f32", values("f32", sa)), y], [out("f32")], {"adj_x": ta, "adj_y": tb, "asymmetric_quantize_inputs": asymmetric})
        yield one("BATCH_MATMUL", f"i8_i32_{i}", [activation("i8", a, "mma"), activation("i8", b, "mmb")], [out("i32", Q(0.001, 0))], {"adj_x": False, "adj_y": False})


def pools():
    table = [((1, 4, 4, 3), (2, 2), (2, 2), VALID), ((2, 5, 7, 2), (3, 3), (2, 2), SAME), ((1, 6, 5, 4), (3, 2), (1, 1), SAME), ((1, 5, 5, 17), (5, 5), (1, 1), VALID), ((1, 3, 9, 1), (1, 4), (1, 3), SAME), ((1, 25, 5, 6), (25, 5), (25, 5), VALID),
             ((1, 2, 2, 2), (3, 3), (1, 1), SAME)]
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
        for dtype in ("f32",) + QUANTIZED:
            for i, (shape, window, stride, padding) in enumerate(table):
                x = activation(dtype, shape, op)
                for a in (0, 1, 3) if i < 2 else (0,):
                    yield one(op, f"{dtype}_{i}_{a}", [x], [out(dtype, x.q)],
                              {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], "filter_height": window[0], "filter_width": window[1], "fused_activation_function": a}, options_type="Pool2DOptions")


def resizes():
    for op in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        for shape, size in (((1, 3, 4, 2), (6, 8)), ((2, 5, 5, 1), (3, 7)), ((1, 4, 4, 3), (4, 4)), ((1, 2, 3, 5), (1, 1)), ((1, 1, 1, 4), (3, 2)), ((1, 7, 3, 1), (10, 4))):
            for corners, centers in ((False, False), (True, False), (False, True)):
                for dtype in ("f32", "i8", "u8", "i16"):
                    x = activation(dtype, shape, op)
                    yield one(op, f"{dtype}_{shape_name(shape)}_{shape_name(size)}_{corners}_{centers}", [x, i32(size)], [out(dtype, x.q)], {"align_corners": corners, "half_pixel_centers": centers})
            yield one(op, f"f32_{shape_name(shape)}_{shape_name(size)}_fed", [activation("f32", shape, op), feed("i32", size)], [out("f32")], {"align_corners": False, "half_pixel_centers": False})


def cases():
    for group in (convolutions, depthwise, transposed, volumes, products, densify, matmuls, pools, resizes):
        yield from group()
