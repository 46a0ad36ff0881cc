"""Functions of two tensors, with broadcasting, and of more."""
import numpy as np

from .common import QUANTIZED, Q, const, feed, one, out, quant, rng, shape_name, values

PAIRS = [((), ()), ((1,), (1,)), ((3, 5), (3, 5)), ((3, 5), (5,)), ((5,), (3, 5)), ((2, 3, 5), (2, 1, 5)), ((2, 1, 5), (1, 3, 1)), ((1, 2, 3, 4), ()), ((), (1, 2, 3, 4)),
         ((1, 2, 3, 4), (1, 1, 1, 4)), ((2, 3, 1, 4), (1, 1, 5, 1)), ((2, 1, 3, 2, 3), (2, 1, 3, 2, 3)), ((2, 1, 3, 2, 3), (3, 1, 1)), ((17,), (17,)), ((4, 64), (64,)),
         ((2, 2, 1, 1, 2, 3), (1, 2, 3, 1, 1, 3))]
ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}  # LiteRT's kernels leave the others out
FUSED = ("ADD", "SUB", "MUL", "DIV")
ARITHMETIC = FUSED + ("MAXIMUM", "MINIMUM", "POW", "FLOOR_DIV", "FLOOR_MOD", "SQUARED_DIFFERENCE", "ATAN2")
COMPARISONS = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")
OPTIONS_TYPE = {"MAXIMUM": "MaximumMinimumOptions", "MINIMUM": "MaximumMinimumOptions", "ATAN2": "ATan2Options"}


def operand(op, dtype, shape, side):
    """Values that keep the function defined: no integer division by zero, powers of what is positive."""
    v = values(dtype, shape, op + side)
    is_float = dtype in ("f32", "f16", "f64")
    if op == "POW":
        v = values(dtype, shape, op + side, 0.1, 4.0) if is_float else values(dtype, shape, op + side, 0, 4)
    if op in ("DIV", "FLOOR_DIV", "FLOOR_MOD") and side == "b":
        v = np.where(v == 0, np.asarray(3, v.dtype), v)
    return np.asarray(v)


def plain(op, result=None, types=None):
    """Without quantization. Numbers of 8 and 16 bits are taken for quantized by most kernels, plain ones are undefined there."""
    types = types or ("f32", "i32", "i64", "u32", "f16") + (("i16", "i8", "u8") if op in ("MAXIMUM", "MINIMUM") else ())
    for dtype in types:
        for i, (a, b) in enumerate(PAIRS if dtype in ("f32", "i32", "bool") else PAIRS[2:7]):
            name = f"{dtype}_{shape_name(a)}_{shape_name(b)}"
            x, y = feed(dtype, operand(op, dtype, a, "a")), operand(op, dtype, b, "b")
            y = feed(dtype, y) if i % 2 else const(dtype, y)
            yield one(op, name, [x, y], [out(result or dtype)], options_type=OPTIONS_TYPE.get(op))
    if op in FUSED:
        for dtype in ("f32", "i32", "i64"):
            for name, a in ACTIVATIONS.items():
                for pair in (PAIRS[2], PAIRS[6]):
                    x, y = feed(dtype, operand(op, dtype, pair[0], "a")), feed(dtype, operand(op, dtype, pair[1], "b"))
                    yield one(op, f"{dtype}_{name}_{shape_name(pair[0])}", [x, y], [out(dtype)], {"fused_activation_function": a})


def quantized(op):
    for dtype in QUANTIZED:
        if op == "POW":
            continue
        for i, (a, b) in enumerate(PAIRS):
            same_scales = op in ("MAXIMUM", "MINIMUM")
            q = quant(dtype, f"{op}{i}")
            qx, qy, qz = (q, q, q) if same_scales else (q, quant(dtype, f"y{op}{i}"), quant(dtype, f"z{op}{i}"))
            if op in ("MUL", "SQUARED_DIFFERENCE", "DIV"):
                qz = Q(float(rng(op, i).uniform(0.02, 0.4)) / (256 if dtype == "i16" else 1), qz.zero)
            x, y = values(dtype, a, op), values(dtype, b, op + "b")
            if op == "DIV":
                y = np.asarray(np.where(y == qy.zero[0], y - 1 if qy.zero[0] > 0 else y + 1, y))
            x, y = feed(dtype, x, q=qx), (feed if i % 2 else const)(dtype, y, q=qy)
            yield one(op, f"{dtype}_q_{shape_name(a)}_{shape_name(b)}", [x, y], [out(dtype, qz)], options_type=OPTIONS_TYPE.get(op))
        if op in FUSED:
            for name, a in ACTIVATIONS.items():
                for k in range(3):
                    qs = [quant(dtype, f"{op}{name}{k}{s}") for s in "xyz"]
                    x, y = values(dtype, (4, 33), k), values(dtype, (4, 33), k + 10)
                    if op == "DIV":
                        y = np.asarray(np.where(y == qs[1].zero[0], y - 1 if qs[1].zero[0] > 0 else y + 1, y))
                    yield one(op, f"{dtype}_q_{name}_{k}", [feed(dtype, x, q=qs[0]), feed(dtype, y, q=qs[1])], [out(dtype, qs[2])], {"fused_activation_function": a})
    if op in ("ADD", "SUB"):  # powers of two take the 16-bit path of shifts
        for k, (sx, sy, sz) in enumerate(((-11, -12, -11), (-12, -11, -11), (-14, -14, -13), (-13, -13, -12))):
            x, y = feed("i16", values("i16", (3, 40), k), q=Q(2.0**sx, 0)), feed("i16", values("i16", (3, 40), k + 5), q=Q(2.0**sy, 0))
            for pot in (True, False):
                yield one(op, f"i16_pot{k}_{pot}", [x, y], [out("i16", Q(2.0**sz, 0))], {"pot_scale_int16": pot})
    if op == "MUL":
        x, y = feed("i16", values("i16", (3, 40)), q=Q(1 / 4096, 0)), feed("i16", values("i16", (3, 40), 1), q=Q(1 / 8192, 0))
        yield one(op, "i16_i8_result", [x, y], [out("i8", Q(0.05, 3))])
        for kind, zero in (("i8", -20), ("u8", 100)):
            for activation in (1, 2, 3):
                yield one(op, f"i16_{kind}_result_{activation}", [x, y], [out(kind, Q(0.03, zero))], {"fused_activation_function": activation})
        yield one(op, "c64_broadcast", [feed("c64", values("c64", (2, 1, 4))), feed("c64", values("c64", (3, 1), 1))], [out("c64")])
        yield one(op, "c64", [feed("c64", values("c64", (3, 4))), feed("c64", values("c64", (3, 4), 1))], [out("c64")])


def compare_quantized(op):
    for dtype in ("i8", "u8"):
        for i, (a, b) in enumerate(PAIRS[2:9]):
            x, y = feed(dtype, values(dtype, a, op), q=quant(dtype, f"x{i}")), feed(dtype, values(dtype, b, op), q=quant(dtype, f"y{i}"))
            yield one(op, f"{dtype}_q_{shape_name(a)}_{shape_name(b)}", [x, y], [out("bool")])


def special():
    odd = np.array([0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 7.0, -7.0, np.inf, -np.inf, np.nan], np.float32)
    x, y = np.repeat(odd, len(odd)), np.tile(odd, len(odd))
    for op in ARITHMETIC + COMPARISONS:
        yield one(op, "f32_special", [feed("f32", x), feed("f32", y)], [out("bool" if op in COMPARISONS else "f32")], options_type=OPTIONS_TYPE.get(op))
    n = np.array([7, -7, 7, -7, 6, -6, 1, -1, 0, 0, 2147483647, -2147483648, 5], np.int32)
    d = np.array([2, 2, -2, -2, 3, 3, -5, -5, 4, -4, -1, 3, 2147483647], np.int32)
    for op in ("DIV", "FLOOR_DIV", "FLOOR_MOD", "ADD", "SUB", "MUL"):
        for dtype in ("i32", "i64"):
            yield one(op, f"{dtype}_signs", [feed(dtype, n), feed(dtype, d)], [out(dtype)])
    for op in ("ADD", "SUB", "MUL"):
        yield one(op, "i32_wraps", [feed("i32", [2147483647, -2147483648, 65536]), feed("i32", [1, -1, 65536])], [out("i32")])
    for op in ("DIV", "FLOOR_DIV", "FLOOR_MOD"):
        yield one(op, "i32_by_zero", [feed("i32", [1, 2]), feed("i32", [0, 1])], [out("i32")])
    for base, power in ((2, 0), (-3, 3), (2, 10), (0, 0), (-1, 5)):
        yield one("POW", f"i32_{base}_{power}", [feed("i32", [base]), feed("i32", [power])], [out("i32")])
    yield one("POW", "f32_negative_base", [feed("f32", [-2, -2, -2.5, 0, 0, 4]), feed("f32", [2, 3, -1, 0, 2, -0.5])], [out("f32")])


def others():
    for op in ("LOGICAL_AND", "LOGICAL_OR"):
        yield from plain(op, types=("bool",))
    for op in ("EQUAL", "NOT_EQUAL"):
        yield from plain(op, "bool", types=("bool", "str"))
    for op in ("BITWISE_XOR", "RIGHT_SHIFT"):
        for dtype in ("i8", "i16", "i32", "u8", "u16", "u32"):
            for a, b in PAIRS[2:9]:
                y = values(dtype, b, "b") if op == "BITWISE_XOR" else values(dtype, b, "b", 0, {"8": 7, "16": 15}.get(dtype[1:], 31))
                yield one(op, f"{dtype}_{shape_name(a)}_{shape_name(b)}", [feed(dtype, values(dtype, a)), feed(dtype, y)], [out(dtype)])
    for dtype in ("i8", "i32", "u8"):  # shifts past the width
        yield one("RIGHT_SHIFT", f"{dtype}_past", [feed(dtype, values(dtype, (5,))), feed(dtype, np.array([31, 32, 40, 7, 100]))], [out(dtype)])
    for n in (1, 2, 3, 7):
        for dtype in ("f32", "i32"):
            yield one("ADD_N", f"{dtype}_{n}", [feed(dtype, values(dtype, (3, 5), i)) for i in range(n)], [out(dtype)])
    for dtype in ("f32", "i32", "i64", "i16", "i8", "u8", "bool", "u32"):
        q = quant(dtype, "s")
        for op, shapes in (("SELECT", (((3, 5),) * 3, ((3,), (3, 5), (3, 5)), ((), (3, 5), (3, 5)))),
                           ("SELECT_V2", (((3, 5),) * 3, ((5,), (3, 5), (3, 1)), ((2, 1, 5), (3, 1), ()), ((), (2, 3), (3,)), ((1, 2, 1, 3), (4, 1, 1), (1, 2, 4, 3)),
                                          ((2, 1, 1, 2, 1), (3, 2, 2), (1,))))):
            for c, a, b in shapes:
                yield one(op, f"{dtype}_{shape_name(c)}_{shape_name(a)}_{shape_name(b)}",
                          [feed("bool", values("bool", c)), feed(dtype, values(dtype, a, "a"), q=q), feed(dtype, values(dtype, b, "b"), q=q)], [out(dtype, q)])


def cases():
    for op in ARITHMETIC:
        yield from plain(op)
        yield from quantized(op)
    for op in COMPARISONS:
        yield from plain(op, "bool")
        yield from compare_quantized(op)
    yield from special()
    yield from others()
