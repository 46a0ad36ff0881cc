"""Functions of one tensor."""
import numpy as np

from .common import INT_RANGE, QUANTIZED, Q, const, feed, one, out, quant, rng, same, shape_name, values

SHAPES = [(), (1,), (7,), (3, 5), (2, 3, 4), (1, 2, 3, 5), (2, 1, 3, 2, 3), (64, 9)]
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 1.5, 2.5, -1.5, -2.5, 1e-30, -1e-30, 1e37, -1e37, 6.0, -3.0, 3.0, 88.0, -88.0, 100.0, -100.0],
                   np.float32)

FLOAT = ["ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "NEG", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1",
         "ROUND", "RSQRT", "SIGN", "SIN", "SQRT", "SQUARE", "TANH", "ZEROS_LIKE"]
POSITIVE = ("LOG", "RSQRT", "SQRT")
# Where the result's quantization is fixed by the operator.
FIXED_OUTPUT = {"LOGISTIC": {"i8": (1 / 256, -128), "u8": (1 / 256, 0), "i16": (1 / 32768, 0)},
                "TANH": {"i8": (1 / 128, 0), "u8": (1 / 128, 128), "i16": (1 / 32768, 0)}}
SAME_SCALE = ("NEG", "ROUND", "CEIL", "FLOOR", "SIGN", "SQUARE", "ZEROS_LIKE", "RELU_X")


def options_of(op):
    if op == "GELU":
        return [("", {"approximate": False}), ("_tanh", {"approximate": True})]
    if op == "LEAKY_RELU":
        return [("", {"alpha": 0.1}), ("_steep", {"alpha": 1.7}), ("_negative", {"alpha": -0.3})]
    return [("", {})]


def float_cases(op):
    # GELU's tail is rounding noise of LiteRT's own.
    low, high = (1e-3, 20.0) if op in POSITIVE else (-3.0, 8.0) if op == "GELU" else (-8.0, 8.0)
    for suffix, options in options_of(op):
        for shape in SHAPES:
            x = feed("f32", values("f32", shape, op, low, high))
            yield one(op, f"f32_{shape_name(shape)}{suffix}", [x], [out("f32")], options)
        yield one(op, f"f32_special{suffix}", [feed("f32", SPECIAL)], [out("f32")], options)
        yield one(op, f"f32_wide{suffix}", [feed("f32", values("f32", (257,), op + "wide", low * 10, high * 10))], [out("f32")], options)


def integer_cases(op):
    for dtype in ("i32", "i64", "bool", "f16"):  # of 8 and 16 bits LiteRT takes all for quantized
        yield one(op, f"{dtype}_plain", [feed(dtype, values(dtype, (3, 7), op))], [out(dtype)], options_of(op)[0][1])


def whole_range(dtype):
    low, high = INT_RANGE[dtype]
    return np.arange(low, high + 1) if dtype != "i16" else np.unique(np.concatenate([np.arange(low, high + 1, 37), [high, -1, 0, 1]]))


def quantized_cases(op):
    for suffix, options in options_of(op):
        for dtype in QUANTIZED:
            for k in range(6):
                r = rng(op, dtype, k)
                step = 256 if dtype == "i16" else 1
                low = INT_RANGE[dtype][0]
                zero = 0 if dtype == "i16" else (low if op in POSITIVE else [low, -low - 1 if dtype == "i8" else 255, 3, 77, 128 + low, 200 + low][k])
                scale = float([0.01, 0.05, 0.1, 1 / 16, 0.02, 0.25][k]) / step
                x = feed(dtype, whole_range(dtype), q=Q(scale, zero))
                if op in FIXED_OUTPUT:
                    y = out(dtype, Q(*FIXED_OUTPUT[op][dtype]))
                elif k % 2 and op not in ("EXP", "LOG", "RSQRT", "SQRT"):
                    y = out(dtype, x.q)
                else:
                    y = out(dtype, Q(float(r.uniform(0.01, 0.1)) / step, 0 if dtype == "i16" else int(r.integers(low, low + 256))))
                yield one(op, f"{dtype}_q{k}{suffix}", [x], [y], options)


def softmax_cases():
    for shape in [(1, 1), (1, 10), (3, 7), (2, 3, 5), (1, 4, 3, 6), (64,), (2, 1000)]:
        for beta in (1.0, 0.3, 2.0):
            x = feed("f32", values("f32", shape, beta))
            yield one("SOFTMAX", f"f32_{shape_name(shape)}_beta{beta}", [x], [out("f32")], {"beta": beta})
        for dtype, result, q in (("i8", "i8", (1 / 256, -128)), ("u8", "u8", (1 / 256, 0)), ("i16", "i16", (1 / 32768, 0)), ("i8", "i16", (1 / 65536, -32768))):
            for k, scale in enumerate((0.02, 0.1, 0.7)):
                x = feed(dtype, values(dtype, shape, k), q=Q(scale / (256 if dtype == "i16" else 1), 0 if dtype == "i16" else 17 * k))
                yield one("SOFTMAX", f"{dtype}_{result}_{shape_name(shape)}_{k}", [x], [out(result, Q(*q))], {"beta": (1.0, 0.5, 1.0)[k]})
    for shape in [(1, 1), (1, 10), (3, 7), (2, 3, 5), (1, 4, 3, 6)]:
        yield one("LOG_SOFTMAX", f"f32_{shape_name(shape)}", [feed("f32", values("f32", shape))], [out("f32")])
        for dtype, q in (("i8", (16 / 256, 127)), ("u8", (16 / 256, 255))):
            for k, scale in enumerate((0.02, 0.1, 0.7)):
                yield one("LOG_SOFTMAX", f"{dtype}_{shape_name(shape)}_{k}", [feed(dtype, values(dtype, shape, k), q=Q(scale, 3 * k))], [out(dtype, Q(*q))])


def norm_cases():
    for shape in [(1, 5), (3, 7), (2, 3, 4), (1, 2, 3, 8)]:
        yield one("L2_NORMALIZATION", f"f32_{shape_name(shape)}", [feed("f32", values("f32", shape))], [out("f32")])
        for dtype, q in (("i8", (1 / 128, 0)), ("u8", (1 / 128, 128))):
            for zero in (0, 20):
                yield one("L2_NORMALIZATION", f"{dtype}_{shape_name(shape)}_zero{zero}", [feed(dtype, values(dtype, shape), q=Q(0.05, zero))], [out(dtype, Q(*q))])
    yield one("L2_NORMALIZATION", "f32_zeros", [feed("f32", np.zeros((2, 4)))], [out("f32")])
    for radius, bias, alpha, beta in ((1, 1.0, 1.0, 0.5), (2, 9.0, 4.0, 0.75), (20, 0.5, 1e-2, 1.0), (0, 2.0, 0.3, 0.25)):
        for shape in [(1, 1, 1, 6), (2, 3, 2, 5)]:
            yield one("LOCAL_RESPONSE_NORMALIZATION", f"f32_{shape_name(shape)}_r{radius}", [feed("f32", values("f32", shape))], [out("f32")],
                      {"radius": radius, "bias": bias, "alpha": alpha, "beta": beta})


def prelu_cases():
    for shape, slope in (((1, 2, 3, 4), (1, 1, 4)), ((2, 3), (3,)), ((2, 3, 4), (1, 1)), ((2, 2, 3), (2, 2, 3)), ((1, 5), (1, 5))):
        yield one("PRELU", f"f32_{shape_name(shape)}_{shape_name(slope)}", [feed("f32", values("f32", shape)), const("f32", values("f32", slope))], [out("f32")])
        for dtype in QUANTIZED:
            x = feed(dtype, values(dtype, shape), q=quant(dtype, "x"))
            narrow = "i8" if dtype == "i16" else dtype  # LiteRT reads slopes beside 16 bits as 8 bits
            a = const(narrow, values(narrow, slope), q=quant(narrow, "a", zero=0 if dtype == "i16" else None))
            yield one("PRELU", f"{dtype}_{shape_name(shape)}_{shape_name(slope)}", [x, a], [out(dtype, quant(dtype, "y"))])


def dequantize_cases():
    for dtype in ("i8", "u8", "i16", "f16"):
        for shape in SHAPES:
            x = feed(dtype, values(dtype, shape), q=quant(dtype, "x"))
            yield one("DEQUANTIZE", f"{dtype}_{shape_name(shape)}", [x], [out("f32")])
    for axis in range(3):
        n = (2, 3, 5)[axis]
        x = feed("i8", values("i8", (2, 3, 5)), q=Q(np.linspace(0.01, 0.3, n), np.zeros(n), axis))
        yield one("DEQUANTIZE", f"i8_per_axis{axis}", [x], [out("f32")])
    yield one("DEQUANTIZE", "i4_const", [const("i4", values("i4", (3, 5)), q=Q(0.13, 0))], [out("f32")])
    yield one("DEQUANTIZE", "f16_const", [const("f16", values("f16", (3, 5)))], [out("f32")])


def quantize_cases():
    special = np.array([0, -0.0, 0.025, -0.025, 0.075, 0.05, 0.1, -0.1, 1e9, -1e9, 3.3, -3.3, 6.35, 6.375, -6.4, 6.425], np.float32)
    for dtype in QUANTIZED:
        for k in range(4):
            y = out(dtype, quant(dtype, k))
            yield one("QUANTIZE", f"f32_{dtype}_{k}", [feed("f32", values("f32", (3, 50), k))], [y])
            yield one("QUANTIZE", f"f32_{dtype}_halves{k}", [feed("f32", special)], [out(dtype, Q(0.05, 0 if dtype == "i16" else 3 * k))])
        for source in QUANTIZED + ("i32",):
            for k in range(4):
                scale = (0.05, 0.02, 0.007, 0.11)[k]
                q = quant(source, k, scale=scale) if source != "i32" else Q(scale / 1000, 0)
                x = feed(source, whole_range(source) if source != "i32" else values("i32", (300,), k, -200000, 200000), q=q)
                # Some with the source's own scale, where the rescaling is a shift by the zero point.
                y = out(dtype, quant(dtype, k + 9, scale=scale if k == 1 and source != "i32" else None))
                yield one("QUANTIZE", f"{source}_{dtype}_{k}", [x], [y])
    n = 5
    yield one("QUANTIZE", "f32_i8_per_axis", [feed("f32", values("f32", (4, n)))], [out("i8", Q(np.linspace(0.01, 0.1, n), np.zeros(n), 1))])
    for bits in (8, 16, 4):
        for low, high in ((-1.0, 1.0), (-6.0, 3.3), (0.0, 6.0)):
            for narrow in (False, True):
                yield one("FAKE_QUANT", f"f32_{bits}_{low}_{high}_{narrow}", [feed("f32", values("f32", (3, 40)))], [out("f32")],
                          {"min": low, "max": high, "num_bits": bits, "narrow_range": narrow})


def cast_cases():
    for a in ("f32", "i32", "i64", "i16", "i8", "u8", "bool", "f16", "u32", "u16", "f64", "c64"):
        for b in ("f32", "i32", "i64", "i16", "i8", "u8", "bool", "f16", "u32", "u16", "f64", "c64"):
            x = values(a, (3, 11), b, -100, 100) if a in ("f32", "f16", "f64") else values(a, (3, 11), b)
            if b.startswith("u") and a in ("f32", "f16", "f64"):
                x = np.abs(x)
            yield one("CAST", f"{a}_{b}", [feed(a, x)], [out(b)], {"in_data_type": 0, "out_data_type": 0})
    yield one("CAST", "f32_i32_special", [feed("f32", [0.0, -0.0, 0.5, -0.5, 0.999, -0.999, 1.5, -1.5, 2147483520.0, -2147483648.0])], [out("i32")])
    yield one("CAST", "f32_bool_special", [feed("f32", [0.0, -0.0, 1e-30, np.nan, np.inf, -1.0])], [out("bool")])
    for dtype in ("i4",):
        yield one("CAST", f"{dtype}_const_f32", [const(dtype, values(dtype, (3, 5)))], [out("f32")])


def bit_cases():
    for a, b, shape in (("f32", "i32", (3, 2)), ("i32", "f32", (4,)), ("i32", "u8", (2, 3)), ("u8", "i32", (3, 4)), ("i64", "i32", (2, 2)), ("i16", "u16", (5,)), ("i32", "i16", (2,)),
                        ("i16", "i64", (3, 4)), ("f32", "u32", ())):
        yield one("BITCAST", f"{a}_{b}_{shape_name(shape)}", [feed(a, values(a, shape))], [out(b, shape=shape)])
    yield one("LOGICAL_NOT", "bool", [feed("bool", values("bool", (3, 5)))], [out("bool")])
    yield one("LOGICAL_NOT", "bool_scalar", [feed("bool", np.array(True))], [out("bool")])
    yield one("COMPLEX_ABS", "c64", [feed("c64", values("c64", (3, 5)))], [out("f32")])
    yield one("REAL", "c64", [feed("c64", values("c64", (3, 5)))], [out("f32")])
    yield one("IMAG", "c64", [feed("c64", values("c64", (3, 5)))], [out("f32")])


def cases():
    for op in FLOAT:
        yield from float_cases(op)
        yield from integer_cases(op)
        yield from quantized_cases(op)
    for group in (softmax_cases, norm_cases, prelu_cases, dequantize_cases, quantize_cases, cast_cases, bit_cases):
        yield from group()
