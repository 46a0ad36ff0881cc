"""Reductions, running sums, segments, arg and top."""
import numpy as np

from .common import QUANTIZED, Q, const, feed, i32, one, out, quant, shape_name, values

TABLE = [((5,), [0]), ((3, 5), [0]), ((3, 5), [1]), ((3, 5), [-1]), ((3, 5), [0, 1]), ((2, 3, 4), [1]), ((2, 3, 4), [0, 2]), ((2, 3, 4), [2, 1]), ((1, 4, 5, 3), [1, 2]), ((1, 4, 5, 3), [3]),
         ((2, 3, 2, 3), [-1, -3]), ((2, 3, 4), [1, 1]), ((2, 3, 4), []), ((2, 3, 2, 2, 3), [1, 3]), ((64, 7), [0])]
TYPES = {"MEAN": ("f32", "i32", "i64", "i8", "u8", "i16"), "SUM": ("f32", "i32", "i64", "i8", "u8", "i16"), "REDUCE_PROD": ("f32", "i32", "i64", "i8", "i16", "u8"),
         "REDUCE_MAX": ("f32", "i32", "i64", "i8", "u8", "i16"), "REDUCE_MIN": ("f32", "i32", "i64", "i8", "u8", "i16"), "REDUCE_ANY": ("bool",), "REDUCE_ALL": ("bool",)}


def reductions():
    for op, types in TYPES.items():
        for dtype in types:
            for i, (shape, axes) in enumerate(TABLE):
                for keep in (False, True):
                    if keep and i % 2 and dtype != "f32":
                        continue
                    v = values(dtype, shape, op)
                    if op == "REDUCE_PROD":
                        v = values(dtype, shape, op, -2, 2) if dtype != "u8" else values(dtype, shape, op, 0, 2)
                    q = quant(dtype, op)
                    if op == "REDUCE_PROD" and q:
                        q = Q(0.9, q.zero)
                    qy = q if op.startswith("REDUCE_M") else quant(dtype, op + "y")
                    x = feed(dtype, v, q=q)
                    yield one(op, f"{dtype}_{i}_{shape_name(shape)}_{'keep' if keep else 'drop'}", [x, i32(axes)], [out(dtype, qy)], {"keep_dims": keep}, options_type="ReducerOptions")
                    if keep and q and op in ("MEAN", "SUM"):
                        yield one(op, f"{dtype}_{i}_same_scale", [x, i32(axes)], [out(dtype, q)], {"keep_dims": keep}, options_type="ReducerOptions")
            x = feed(dtype, values(dtype, (2, 3, 4), op), q=quant(dtype, op))
            yield one(op, f"{dtype}_fed", [x, feed("i32", [1])], [out(dtype, x.q)], {"keep_dims": False}, options_type="ReducerOptions")
            if op in ("MEAN", "SUM"):
                for k, axes in enumerate(([-1, 0], [2, 0, 1], [-3])):
                    yield one(op, f"{dtype}_fed_{k}", [x, feed("i32", axes)], [out(dtype, quant(dtype, "fed"))], {"keep_dims": k != 1}, options_type="ReducerOptions")
    for dtype in QUANTIZED:  # results of all sizes: nearly all of them are inside of the range
        for k in range(12):
            q, qy = quant(dtype, f"from{k}"), quant(dtype, f"to{k}")
            qy.scale = qy.scale * np.float32(3)
            yield one("SUM", f"{dtype}_rounded_{k}", [feed(dtype, values(dtype, (40, 3 + k), k), q=q), i32([1])], [out(dtype, qy)], {"keep_dims": False}, options_type="ReducerOptions")
    for shape in ((2, 0, 3), (0,)):
        for op in ("SUM", "REDUCE_PROD"):
            yield one(op, f"f32_empty_{shape_name(shape)}", [feed("f32", np.zeros(shape)), [len(shape) - 1 if len(shape) == 1 else 1]], [out("f32")], {"keep_dims": False}, options_type="ReducerOptions")


def args():
    for op in ("ARG_MAX", "ARG_MIN"):
        for dtype in ("f32", "i32", "i8", "u8", "bool", "i64", "i16"):
            for shape, axis in (((5,), 0), ((3, 5), 0), ((3, 5), 1), ((2, 3, 4), -2), ((1, 2, 3, 4), 3), ((2, 3, 4), -1)):
                for result in ("i32", "i64"):
                    x = feed(dtype, values(dtype, shape, op), q=quant(dtype))
                    yield one(op, f"{dtype}_{result}_{shape_name(shape)}_{axis}", [x, np.array(axis, np.int32)], [out(result)], {"output_type": 2 if result == "i32" else 4})
        ties = np.array([[1, 3, 3, 0, 0], [2, 2, 2, 2, 2]])
        yield one(op, "f32_ties", [feed("f32", ties), np.array(1, np.int32)], [out("i32")], {"output_type": 2})
        yield one(op, "i8_ties", [feed("i8", ties, q=Q(0.1, 0)), np.array(1, np.int32)], [out("i32")], {"output_type": 2})
    for dtype in ("f32", "i32", "i64", "i8", "u8", "i16"):
        for shape, k in (((7,), 3), ((3, 5), 1), ((3, 5), 5), ((2, 3, 6), 2), ((2, 40), 17)):
            x = feed(dtype, values(dtype, shape), q=quant(dtype))
            yield one("TOPK_V2", f"{dtype}_{shape_name(shape)}_{k}", [x, np.array(k, np.int32)], [out(dtype, x.q), out("i32")])
            yield one("TOPK_V2", f"{dtype}_{shape_name(shape)}_{k}_fed", [x, feed("i32", np.array(k))], [out(dtype, x.q), out("i32")])
        yield one("TOPK_V2", f"{dtype}_ties", [feed(dtype, np.array([[2, 5, 5, 1, 5, 2], [0, 0, 0, 0, 0, 0]]), q=quant(dtype)), np.array(4, np.int32)], [out(dtype, quant(dtype)), out("i32")])


def running():
    for dtype in ("f32", "i32", "i64"):
        for shape, axis in (((5,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 3, 4), -2), ((2, 3, 2, 3), 2)):
            for exclusive in (False, True):
                for reverse in (False, True):
                    yield one("CUMSUM", f"{dtype}_{shape_name(shape)}_{axis}_{exclusive}_{reverse}", [feed(dtype, values(dtype, shape)), np.array(axis, np.int32)], [out(dtype)],
                              {"exclusive": exclusive, "reverse": reverse})
    for dtype in ("f32", "i32"):
        for shape, ids in (((5,), [0, 0, 1, 1, 2]), ((4, 3), [0, 0, 0, 0]), ((3, 2, 2), [0, 1, 1]), ((2, 3), [0, 1])):
            yield one("SEGMENT_SUM", f"{dtype}_{shape_name(shape)}", [feed(dtype, values(dtype, shape)), feed("i32", ids)], [out(dtype)])
        for op in ("UNSORTED_SEGMENT_SUM", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN"):
            for shape, ids, n in (((5,), [0, 2, 1, 0, 2], 3), ((4, 3), [3, 0, 0, -1], 5), ((3, 2, 2), [1, 1, 1], 2), ((2, 3), [[0, 1, 2], [2, 1, 0]], 3), ((4,), [-1, -2, -1, -1], 2)):
                v = values(dtype, shape, op) if op != "UNSORTED_SEGMENT_PROD" else values(dtype, shape, op, -3, 3)
                yield one(op, f"{dtype}_{shape_name(shape)}_{n}", [feed(dtype, v), feed("i32", ids), np.array(n, np.int32)], [out(dtype)])
    for dtype in ("f32", "i32", "i64"):
        yield one("BUCKETIZE", f"{dtype}_edges", [feed(dtype, np.array([[-5, 0, 3], [4, 10, 11], [100, 7, 9]]))], [out("i32")], {"boundaries": np.array([0, 4, 10, 100], np.float32)})
        yield one("BUCKETIZE", f"{dtype}_empty", [feed(dtype, values(dtype, (4,)))], [out("i32")], {"boundaries": np.array([], np.float32)})
        yield one("BUCKETIZE", f"{dtype}_one", [feed(dtype, values(dtype, (2, 5)))], [out("i32")], {"boundaries": np.array([1.5], np.float32)})


def windows():
    """REDUCE_WINDOW: sums and others over windows that slide along every axis."""
    for dtype in ("f32", "i32", "i64", "i8", "i16", "bool"):
        functions = {"add": 1, "mul": 2, "min": 3, "max": 4, "all": 5, "any": 6}
        for name, f in functions.items():
            if (name in ("all", "any")) != (dtype == "bool"):
                continue
            start = {"add": 0, "mul": 1, "min": 100, "max": -100, "all": 1, "any": 0}[name]
            for shape, window, strides, dilations in (((4, 5), [2, 2], [1, 1], [1, 1]), ((4, 5), [2, 3], [2, 1], [1, 1]), ((6,), [2], [1], [3]), ((2, 5, 4), [1, 3, 2], [1, 2, 1], [1, 1, 2])):
                yield one("REDUCE_WINDOW", f"{dtype}_{name}_{shape_name(shape)}_{sum(strides)}",
                          [feed(dtype, values(dtype, shape, name, -3, 3) if dtype != "bool" else values(dtype, shape)), const(dtype, np.array(start)),
                           const("i64", window), const("i64", strides), const("i64", dilations)], [out(dtype)], {"reduce_function": f})


def cases():
    for group in (reductions, args, running, windows):
        yield from group()
