"""Gathering, scattering and what else takes indices; sparse and dense; tables."""
import numpy as np

from .common import QUANTIZED, Case, Graph, Op, Q, T, const, feed, i32, one, out, quant, shape_name, values
from .shape import MOVED, moved, result


def gathers():
    table = [((5,), [0, 4, 2, 2], 0, 0), ((3, 4), [2, 0], 0, 0), ((3, 4), [[1, 3], [0, 0]], 1, 0), ((2, 3, 4), [1], -1, 0), ((2, 3, 4), 2, 1, 0), ((2, 3, 4), [[2, 0], [1, 1]], 1, 1),
             ((2, 2, 3), [[[0, 2], [1, 1]], [[2, 2], [0, 1]]], 2, 2), ((2, 2, 3), [[0, 1, 2], [2, 1, 0]], 2, 1), ((3, 4), [], 0, 0)]
    for i, (shape, indices, axis, batch) in enumerate(table):
        for dtype in MOVED + ("str",):
            for kind in ("i32", "i64") if dtype == "f32" else ("i32",):
                x = moved(dtype, shape)
                yield one("GATHER", f"{dtype}_{kind}_{i}", [x, feed(kind, indices) if i % 2 else const(kind, indices)], [result(x)], {"axis": axis, "batch_dims": batch})
    for i, (shape, indices) in enumerate([((3, 4), [[0, 1], [2, 3]]), ((3, 4), [[1], [0]]), ((2, 3, 4), [[[0, 1]], [[1, 2]]]), ((2, 3, 4), [[1, 2, 3]]), ((5,), [[0], [4]]), ((3, 4), [2, 1]), ((2, 3), [[]] * 2)]):
        for dtype in MOVED + ("str",):
            for kind in ("i32", "i64", "i16"):
                if kind != "i32" and dtype not in ("f32", "i8"):
                    continue
                x = moved(dtype, shape)
                yield one("GATHER_ND", f"{dtype}_{kind}_{i}", [x, feed(kind, np.array(indices))], [result(x)])


def scatters():
    for i, (indices, update, shape) in enumerate([([[0], [3]], (2,), [5]), ([[0, 1], [2, 3]], (2,), [3, 4]), ([[1], [0]], (2, 4), [3, 4]), ([[0], [0], [1]], (3, 2), [2, 2]), ([[[0, 1]], [[1, 0]]], (2, 1, 3), [2, 2, 3])]):
        for dtype in ("f32", "i32", "i64", "i8", "u8", "bool", "f16"):
            yield one("SCATTER_ND", f"{dtype}_{i}", [feed("i32", indices), feed(dtype, values(dtype, update)), i32(shape)], [out(dtype)])
    yield one("SCATTER_ND", "f32_i64", [feed("i64", [[1]]), feed("f32", [2.5]), const("i64", [3])], [out("f32")])
    for dtype in ("f32", "i32", "i64", "i8", "u8"):
        for i, (indices, shape, n) in enumerate((([1, 3], [5], 2), ([[0, 1], [2, 3]], [3, 4], 2), (2, [4], None), ([[0, 0, 1], [1, 2, 0]], [2, 3, 2], 2))):
            v = values(dtype, () if n is None else (n,), i)
            yield one("SPARSE_TO_DENSE", f"{dtype}_{i}", [feed("i32", np.array(indices)), i32(shape), feed(dtype, v), const(dtype, np.array(1))], [out(dtype)], {"validate_indices": False})
            yield one("SPARSE_TO_DENSE", f"{dtype}_scalar_{i}", [const("i32", indices), i32(shape), feed(dtype, np.array(9)), const(dtype, np.array(2))], [out(dtype)])
        yield one("SPARSE_TO_DENSE", f"{dtype}_i64", [const("i64", [[0, 1], [1, 1]]), const("i64", [2, 2]), feed(dtype, [3, 4]), const(dtype, np.array(0))], [out(dtype)])


def picks():
    for dtype in ("f32", "i32", "i8", "i64", "u8", "bool", "i16"):
        for shape, depth, axis in (((4,), 3, -1), ((4,), 3, 0), ((2, 3), 5, 1), ((2, 3), 4, 2), ((), 3, -1)):
            on, off = values(dtype, (2,), "onoff")
            yield one("ONE_HOT", f"{dtype}_{shape_name(shape)}_{depth}_{axis}", [feed("i32", values("i32", shape, "hot", -1, depth)), np.array(depth, np.int32), const(dtype, on), const(dtype, off)], [out(dtype)], {"axis": axis})
    yield one("ONE_HOT", "f32_i64", [feed("i64", [0, 2, 7]), np.array(3, np.int32), const("f32", np.float32(1)), const("f32", np.float32(0))], [out("f32")], {"axis": -1})
    for dtype in ("f32", "i32", "i64", "i8", "u8", "bool", "u32"):
        for shape in ((7,), (3, 4), (2, 2, 3), (2, 1, 2, 2), ()):
            v = np.asarray(values(dtype, shape, "where"))
            yield one("WHERE", f"{dtype}_{shape_name(shape)}", [feed(dtype, v if dtype == "bool" else v * (np.asarray(values("bool", shape))))], [out("i64")])
    yield one("WHERE", "bool_none", [feed("bool", [False, False])], [out("i64")])
    for a, b, c in ((0, 5, 1), (3, 20, 4), (5, -3, -2), (2, 2, 1), (10, 0, -3)):
        for dtype in ("i32", "i64", "f32"):
            yield one("RANGE", f"{dtype}_{a}_{b}_{c}", [feed(dtype, np.array(v)) for v in (a, b, c)], [out(dtype)])
            yield one("RANGE", f"{dtype}_{a}_{b}_{c}_const", [const(dtype, np.array(v)) for v in (a, b, c)], [out(dtype)])
    yield one("RANGE", "f32_fractions", [feed("f32", np.float32(0.1)), feed("f32", np.float32(1.0)), feed("f32", np.float32(0.1))], [out("f32")])
    for dtype in ("f32", "i32", "i64", "i8", "u8", "i16"):
        for kind in ("i32", "i64"):
            yield one("UNIQUE", f"{dtype}_{kind}", [feed(dtype, np.array([3, 1, 3, 2, 1, 9, 0, 9]))], [out(dtype), out(kind)], {"idx_out_type": 2 if kind == "i32" else 4})


def matrices():
    for dtype in ("f32", "i32", "i64", "i8", "u8", "i16"):
        for shape in ((3,), (2, 4), (1, 2, 3)):
            yield one("MATRIX_DIAG", f"{dtype}_{shape_name(shape)}", [feed(dtype, values(dtype, shape))], [out(dtype)])
        for shape in ((3, 3), (2, 4), (4, 2), (2, 3, 4)):
            diagonal = shape[:-2] + (min(shape[-2:]),)
            yield one("MATRIX_SET_DIAG", f"{dtype}_{shape_name(shape)}", [feed(dtype, values(dtype, shape)), feed(dtype, values(dtype, diagonal, "d"))], [out(dtype)])


def lookups():
    for dtype in ("f32", "i8", "u8", "i32"):
        for shape in ((4, 3), (5, 2, 2)):
            table = const(dtype, values(dtype, shape), q=quant(dtype, "table"))
            yield one("EMBEDDING_LOOKUP", f"{dtype}_{shape_name(shape)}", [feed("i32", [2, 0, 3, 2]), table], [result(table)])
    for dtype in ("i8", "u8"):  # hybrid: a quantized table, floats out
        for zero in (0, 3):
            yield one("EMBEDDING_LOOKUP", f"{dtype}_f32_zero{zero}", [feed("i32", [2, 0, 3, 2]), const(dtype, values(dtype, (4, 6)), q=Q(0.07, zero))], [out("f32")])
    for axis in (0, 1):
        n = (4, 6)[axis]
        yield one("EMBEDDING_LOOKUP", f"i8_f32_axis{axis}", [feed("i32", [2, 0]), const("i8", values("i8", (4, 6)), q=Q(np.linspace(0.01, 0.2, n), np.zeros(n), axis))], [out("f32")])
    for kind in ("i4", "i2"):
        yield one("EMBEDDING_LOOKUP", f"{kind}_f32", [feed("i32", [2, 0, 1]), const(kind, values(kind, (4, 6)), q=Q(0.07, 0))], [out("f32")])
        yield one("EMBEDDING_LOOKUP", f"{kind}_f32_axis0", [feed("i32", [2, 0, 1]), const(kind, values(kind, (4, 8)), q=Q(np.linspace(0.01, 0.2, 4), np.zeros(4), 0))], [out("f32")])
    for combiner in (0, 1, 2):
        yield one("EMBEDDING_LOOKUP_SPARSE", f"f32_{combiner}", [feed("i32", [1, 3, 0]), feed("i32", [[0, 0], [2, 0], [2, 1]]), i32([3, 2]), feed("f32", [1.0, 2.0, 4.0]), const("f32", values("f32", (4, 3, 2)))],
                  [out("f32")], {"combiner": combiner})
        yield one("EMBEDDING_LOOKUP_SPARSE", f"f32_3d_{combiner}", [feed("i32", [1, 3, 0]), feed("i32", [[0, 0, 0], [2, 0, 1], [2, 0, 0]]), i32([3, 2, 2]), feed("f32", [1.0, 2.0, 4.0]), const("f32", values("f32", (4, 5)))],
                  [out("f32")], {"combiner": combiner})
    for dtype in ("f32", "str", "i32"):
        yield one("HASHTABLE_LOOKUP", dtype, [feed("i32", [1234, -292, -11, 0]), const("i32", [-11, 0, 1234]), const(dtype, values(dtype, (3, 2)) if dtype != "str" else np.array([b"a", b"bc", b"def"], object))],
                  [out(dtype), out("u8")])
    for kind in (1, 2):
        yield one("LSH_PROJECTION", f"i32_{kind}", [const("f32", values("f32", (3, 2), "seed")), feed("i32", [12, -5, 99, 7, 8]), const("f32", [0.1, 0.5, 2.0, 1.0, 0.7])], [out("i32")], {"type": kind})
        yield one("LSH_PROJECTION", f"unweighted_{kind}", [const("f32", values("f32", (2, 4), "seed")), feed("i32", [12, -5, 99, 7, 8])], [out("i32")], {"type": kind})
    for kind in (1, 2):  # items of every length that the hash tells apart, and of other types
        for dtype, shape in (("i8", (5, 3)), ("i64", (3, 1)), ("i32", (4, 3)), ("i32", (3, 7)), ("i32", (3, 15)), ("i16", (2, 30)), ("f32", (2, 16)), ("u8", (3, 124)), ("i32", (2, 3, 13)), ("bool", (4, 5))):
            item = feed(dtype, values(dtype, shape, f"lsh{kind}"))
            weights = [feed("f32", values("f32", shape[:1], "weights", -1, 1))] if kind == 1 or len(shape) > 2 else []
            yield one("LSH_PROJECTION", f"{dtype}_{shape_name(shape)}_{kind}", [const("f32", values("f32", (3, 5), "seed")), item, *weights], [out("i32")], {"type": kind})
    text = np.array([b"the quick\t brown fox\n jumps"], object)
    for n, skip, grams in ((2, 1, True), (3, 0, False), (3, 2, True), (1, 0, False)):
        yield one("SKIP_GRAM", f"{n}_{skip}_{grams}", [feed("str", text)], [out("str")], {"ngram_size": n, "max_skip_size": skip, "include_all_ngrams": grams})
    for k, text in enumerate((b"a b c d e f", b" a b  c ", b"  a\v b\xc3\xa9\r\fc", b" a", b"one", b"", b" ", b"x  ")):
        for n, skip, grams in ((1, 0, True), (2, 0, False), (2, 3, True), (4, 1, True), (0, 2, True)):
            yield one("SKIP_GRAM", f"text{k}_{n}_{skip}_{grams}", [feed("str", np.array([text, b"more text"], object))], [out("str")], {"ngram_size": n, "max_skip_size": skip, "include_all_ngrams": grams})


def hashtables():
    for key, value in (("i64", "str"), ("str", "i64")):
        table = lambda: Op("HASHTABLE", [], [t := out("resource")], {"table_id": 4, "key_dtype": 4 if key == "i64" else 5, "value_dtype": 4 if value == "i64" else 5})  # noqa: E731,F841
        keys = const(key, [5, -3, 9] if key == "i64" else np.array([b"x", b"yy", b""], object))
        vals = const(value, [5, -3, 9] if value == "i64" else np.array([b"x", b"yy", b""], object))
        a, b = table(), table()
        size, found = out("i64"), out(value)
        query = feed(key, [9, 1, 5] if key == "i64" else np.array([b"yy", b"no", b"x"], object))
        default = const(value, np.array(-1) if value == "i64" else np.array([b"none"], object).reshape(()))
        ops = [a, Op("HASHTABLE_IMPORT", [a.outputs[0], keys, vals], []), b, Op("HASHTABLE_SIZE", [b.outputs[0]], [size]), Op("HASHTABLE_FIND", [b.outputs[0], query, default], [found])]
        for op in ("HASHTABLE", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "HASHTABLE_FIND"):
            yield Case(op, f"{key}_{value}", [Graph(ops, outputs=[size, found])])


def boxes():
    n = 6
    box = np.array([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1], [1, 100, 0, 101]], np.float32)
    scores = np.array([0.9, 0.75, 0.6, 0.95, 0.5, 0.3], np.float32)
    numbers = lambda *v: [const("f32", np.float32(x)) for x in v]  # noqa: E731
    for k, (most, iou, score, sigma) in enumerate(((3, 0.5, 0.4, 0.5), (6, 0.5, 0.0, 0.0), (2, 0.99, 0.4, 0.3), (10, 0.0, 0.55, 0.0), (0, 0.5, 0.4, 0.0), (6, 0.5, 0.4, 1.0))):
        for name, limit in (("const", np.array(most, np.int32)), ("fed", feed("i32", np.array(most)))):
            yield one("NON_MAX_SUPPRESSION_V4", f"{name}_{k}", [feed("f32", box), feed("f32", scores), limit, *numbers(iou, score)], [out("i32"), out("i32")])
            yield one("NON_MAX_SUPPRESSION_V5", f"{name}_{k}", [feed("f32", box), feed("f32", scores), limit, *numbers(iou, score, sigma)], [out("i32"), out("f32"), out("i32")])
    r = np.abs(values("f32", (40, 2), "boxes", 0, 1))
    many = np.concatenate([r, r + np.abs(values("f32", (40, 2), "sizes", 0.05, 0.4))], 1).astype(np.float32)
    yield one("NON_MAX_SUPPRESSION_V4", "forty", [feed("f32", many), feed("f32", values("f32", (40,), "s", 0, 1)), np.array(25, np.int32), *numbers(0.3, 0.1)], [out("i32"), out("i32")])
    yield one("NON_MAX_SUPPRESSION_V5", "forty", [feed("f32", many), feed("f32", values("f32", (40,), "s", 0, 1)), np.array(25, np.int32), *numbers(0.3, 0.1, 0.4)], [out("i32"), out("f32"), out("i32")])


def transforms():
    for shape, length in (((4, 4), [4, 4]), ((3, 8, 16), [8, 16]), ((2, 6, 10), [8, 8]), ((5, 7), [4, 8])):
        yield one("RFFT2D", f"f32_{shape_name(shape)}", [feed("f32", values("f32", shape)), i32(length)], [out("c64")])


def cases():
    for group in (gathers, scatters, picks, matrices, lookups, hashtables, boxes, transforms):
        yield from group()
