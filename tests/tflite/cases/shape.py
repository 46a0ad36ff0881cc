"""What moves elements around without computing."""
import numpy as np

from .common import QUANTIZED, Case, Graph, Op, T, const, feed, i32, one, out, quant, rng, shape_name, values

MOVED = ("f32", "i32", "i8", "u8", "i16", "i64", "bool")


def moved(dtype, shape, key=""):
    return feed(dtype, values(dtype, shape, key), q=quant(dtype, "moved"))


def result(x):
    return out(x.dtype, x.q)


def each(op, table, operands, options=lambda row: None, types=MOVED, **more):
    """Cases of every row with f32 and i8, of every third with the other types. Operands constant, and fed once."""
    for i, row in enumerate(table):
        for t, dtype in enumerate(types):
            if t and (i + t) % 3 and dtype != "i8":
                continue
            x = moved(dtype, row[0])
            name = f"{dtype}_{i}_{shape_name(row[0])}"
            yield one(op, name, [x, *operands(row)], [result(x)], options(row), **more)
            if dtype == "f32":
                fed = [feed("i32", o) if not isinstance(o, T) else o for o in operands(row)]
                if fed:
                    yield one(op, name + "_fed", [x, *fed], [result(x)], options(row), **more)


def reshapes():
    table = [((2, 3, 4), (6, 4)), ((2, 3, 4), (-1,)), ((2, 3, 4), (4, -1, 2)), ((6,), (1, 2, 3)), ((1,), ()), ((2, 3), (2, 3)), ((1, 2, 3, 4, 5), (5, 24)), ((0, 3), (3, 0))]
    yield from each("RESHAPE", table, lambda r: [np.array(r[1], np.int32)], lambda r: {"new_shape": np.array(r[1], np.int32)})
    for i, (shape, new) in enumerate(table):
        yield one("RESHAPE", f"f32_option_{i}", [moved("f32", shape)], [out("f32")], {"new_shape": np.array(new, np.int32)})
    for shape, dims in (((1, 3, 1, 2), []), ((1, 3, 1, 2), [0]), ((1, 3, 1, 2), [-2]), ((1, 3, 1, 2), [0, 2]), ((1, 1), [])):
        for dtype in ("f32", "i8", "i32"):
            x = moved(dtype, shape)
            yield one("SQUEEZE", f"{dtype}_{shape_name(shape)}_{len(dims)}_{sum(dims)}", [x], [result(x)], {"squeeze_dims": np.array(dims, np.int32)})
    yield from each("EXPAND_DIMS", [((2, 3), 0), ((2, 3), 1), ((2, 3), -1), ((2, 3), -3), ((), 0), ((5,), 1)], lambda r: [np.array(r[1], np.int32)])
    for dtype in ("f32", "i8", "str"):
        for shape in [(), (3,), (2, 0, 3), (2, 3, 4, 5)]:
            for kind in ("i32", "i64"):
                yield one("SHAPE", f"{dtype}_{shape_name(shape)}_{kind}", [feed(dtype, values(dtype, shape))], [out(kind)], {"out_type": 2 if kind == "i32" else 4})
            yield one("RANK", f"{dtype}_{shape_name(shape)}", [feed(dtype, values(dtype, shape))], [out("i32")])


def transposes():
    table = [((2, 3), (1, 0)), ((2, 3, 4), (2, 0, 1)), ((2, 3, 4), (0, 2, 1)), ((2, 3, 4), (0, 1, 2)), ((1, 2, 3, 4), (0, 3, 1, 2)), ((2, 3, 4, 5), (3, 2, 1, 0)), ((2, 3, 4, 5), (-1, 0, 1, 2)),
             ((2, 3, 2, 3, 2), (4, 2, 0, 1, 3)), ((2, 1, 2, 3, 2, 2), (5, 4, 3, 2, 1, 0)), ((7,), (0,)), ((5, 1, 3), (1, 2, 0))]
    yield from each("TRANSPOSE", table, lambda r: [np.array(r[1], np.int32)])
    for k, dtype in enumerate(("i4", "i64")):
        yield one("TRANSPOSE", f"{dtype}_const", [const(dtype, values(dtype, (2, 6)), q=None if k else quant("i8")), [1, 0]], [out(dtype, None if k else quant("i8"))])


def slices():
    table = [((3, 5), (1, 2), (2, 3)), ((3, 5), (0, 0), (-1, -1)), ((3, 5), (1, 1), (-1, 2)), ((2, 3, 4), (1, 0, 2), (1, 3, 2)), ((7,), (3,), (2,)), ((2, 3, 4, 5), (0, 1, 1, 2), (2, 1, -1, 3)),
             ((1, 2, 3, 2, 3), (0, 1, 0, 0, 1), (1, 1, 2, 2, 2)), ((3, 5), (1, 2), (0, 3))]
    yield from each("SLICE", table, lambda r: [np.array(r[1], np.int32), np.array(r[2], np.int32)])
    yield one("SLICE", "f32_i64", [moved("f32", (3, 5)), const("i64", [1, 0]), const("i64", [2, -1])], [out("f32")])
    yield one("SLICE", "str", [moved("str", (4,)), [1], [2]], [out("str")])


def strided_slices():
    table = [
        ((5,), [1], [4], [2], {}), ((5,), [-1], [-6], [-1], {}), ((5,), [0], [0], [1], {"end_mask": 1}), ((5,), [3], [-9], [-2], {}), ((5,), [2], [9], [1], {}),
        ((4, 6), [0, 1], [2, 6], [1, 2], {}), ((4, 6), [3, 5], [0, 0], [-1, -2], {"end_mask": 2}), ((4, 6), [1, 2], [2, 3], [1, 1], {"shrink_axis_mask": 1}),
        ((4, 6), [-1, 0], [0, 6], [1, 1], {"shrink_axis_mask": 1, "end_mask": 2}), ((4, 6), [1, 1], [3, 5], [1, 1], {"begin_mask": 2, "end_mask": 1}),
        ((4, 6), [1], [3], [1], {}), ((3, 4, 5), [0, 1, 1], [3, 3, 5], [2, 1, 3], {}), ((3, 4, 5), [0, 0, 0], [0, 0, 0], [1, 1, 1], {"begin_mask": 7, "end_mask": 7}),
        ((3, 4, 5), [0, 2], [0, 4], [1, 1], {"ellipsis_mask": 1}), ((3, 4, 5), [1, 0, 2], [2, 0, 4], [1, 1, 1], {"ellipsis_mask": 2}),
        ((3, 4, 5), [0, 1, 0], [0, 3, 0], [1, 1, 1], {"new_axis_mask": 1, "end_mask": 4}), ((3, 4), [0, 0, 1], [3, 0, 3], [1, 1, 1], {"new_axis_mask": 2}),
        ((3, 4, 5), [1, 1, 1], [2, 2, 2], [1, 1, 1], {"shrink_axis_mask": 7}), ((2, 3, 4, 5), [0, 2, 1, 0], [2, 0, 4, 5], [1, -1, 2, 3], {}),
        ((2, 3, 4, 5), [0, 0, 0, 0], [2, 3, 1, 5], [1, 1, 1, 1], {"shrink_axis_mask": 4}), ((2, 2, 3, 2, 2), [0, 1, 0, 0, 1], [2, 2, 3, 2, 2], [1, 1, 2, 1, 1], {}),
        ((4, 6), [2, 0], [2, 6], [1, 1], {}), ((3, 4, 5), [1, 0], [2, 0], [1, 1], {"ellipsis_mask": 2, "shrink_axis_mask": 1}),
        ((5,), [1], [2], [1], {"offset": True}), ((4, 6), [1, 2], [2, 3], [2, 1], {"offset": True}), ((4, 6), [0, -3], [4, -1], [3, 1], {}),
    ]
    yield from each("STRIDED_SLICE", table, lambda r: [np.array(v, np.int32) for v in r[1:4]], lambda r: dict(begin_mask=0) | r[4])
    yield one("STRIDED_SLICE", "str", [moved("str", (5,)), [1], [5], [2]], [out("str")], {"begin_mask": 0})
    r = rng("strided")
    for k in range(60):
        rank = int(r.integers(1, 5))
        shape = tuple(int(d) for d in r.integers(1, 6, rank))
        begin, end = r.integers(-7, 8, rank), r.integers(-7, 8, rank)
        stride = np.where(r.integers(0, 2, rank) > 0, r.integers(1, 4, rank), -r.integers(1, 4, rank))
        masks = {m: int(r.integers(0, 1 << rank)) for m in ("begin_mask", "end_mask")}
        if k % 4 == 0:
            masks["shrink_axis_mask"] = 1 << int(r.integers(0, rank))
            axis = masks["shrink_axis_mask"].bit_length() - 1
            begin[axis], stride[axis] = int(r.integers(-shape[axis], shape[axis])), 1
        x = moved("f32" if k % 2 else "i8", shape)
        yield one("STRIDED_SLICE", f"random_{k}", [x, begin.astype(np.int32), end.astype(np.int32), stride.astype(np.int32)], [result(x)], masks)


def pads():
    table = [((3,), [[1, 2]]), ((2, 3), [[0, 1], [2, 0]]), ((2, 3, 4), [[0, 0], [1, 1], [2, 1]]), ((1, 2, 3, 2), [[0, 0], [1, 2], [2, 1], [0, 0]]), ((1, 2, 3, 2), [[1, 0], [0, 0], [0, 0], [1, 3]]),
             ((1, 2, 2, 1, 3), [[0, 0], [1, 1], [0, 1], [2, 0], [0, 0]]), ((2, 3), [[0, 0], [0, 0]])]
    yield from each("PAD", table, lambda r: [np.array(r[1], np.int32)])
    for dtype in MOVED:
        for i, (shape, width) in enumerate(table):
            x = moved(dtype, shape)
            fill = const(dtype, np.array(True) if dtype == "bool" else np.array(7), q=x.q)
            yield one("PADV2", f"{dtype}_{i}", [x, i32(width), fill], [result(x)])
    yield one("PAD", "f32_i64", [moved("f32", (2, 3)), const("i64", [[1, 1], [0, 2]])], [out("f32")])
    for mode in (0, 1):
        mirrored = [((5,), [[2, 3]]), ((3, 4), [[1, 2], [3, 0]]), ((3, 4, 5), [[2, 1], [0, 0], [1, 4]]), ((1, 3, 4, 2), [[0, 0], [2, 2], [1, 3], [0, 0]]), ((2, 2, 2, 2, 3), [[0, 1], [1, 0], [1, 1], [0, 0], [2, 2]])]
        yield from each("MIRROR_PAD", mirrored, lambda r: [np.array(r[1], np.int32)], lambda r: {"mode": mode}, types=("f32", "i8", "u8", "i32", "i16", "i64"))


def joins():
    for axis, shapes in ((0, [(2, 3), (1, 3)]), (1, [(2, 3), (2, 1), (2, 4)]), (-1, [(2, 3), (2, 3)]), (3, [(1, 2, 3, 4), (1, 2, 3, 5)]), (2, [(1, 2, 3, 4), (1, 2, 1, 4)]), (0, [(3,)]),
                         (2, [(1, 2, 3, 1, 2), (1, 2, 4, 1, 2)]), (1, [(2, 0), (2, 3)])):
        for dtype in MOVED + ("str",):
            xs = [moved(dtype, s, i) if i % 2 == 0 or dtype == "str" else const(dtype, values(dtype, s, i), q=quant(dtype, "moved")) for i, s in enumerate(shapes)]
            yield one("CONCATENATION", f"{dtype}_{len(shapes)}_{axis}_{shape_name(shapes[0])}", xs, [result(xs[0])], {"axis": axis})
        for dtype in QUANTIZED:  # each input with a quantization of its own
            for relu in (0, 1):
                xs = [feed(dtype, values(dtype, s, i), q=quant(dtype, f"c{i}")) for i, s in enumerate(shapes)]
                yield one("CONCATENATION", f"{dtype}_mixed_{len(shapes)}_{axis}_{shape_name(shapes[0])}_{relu}", xs, [out(dtype, quant(dtype, "cy"))], {"axis": axis, "fused_activation_function": relu})
    for axis, n, shape in ((0, 3, (2, 3)), (1, 2, (2, 3)), (-1, 2, (2, 3)), (2, 4, (2, 3)), (0, 1, (3,)), (0, 3, ()), (3, 2, (1, 2, 3))):
        for dtype in MOVED:
            xs = [moved(dtype, shape, i) for i in range(n)]
            yield one("PACK", f"{dtype}_{axis}_{n}_{shape_name(shape)}", xs, [result(xs[0])], {"axis": axis, "values_count": n})
    for axis, shape in ((0, (3, 4)), (1, (3, 4)), (-1, (2, 3, 2)), (1, (2, 3, 2)), (0, (2,)), (2, (1, 2, 3, 4))):
        for dtype in MOVED:
            x = moved(dtype, shape)
            yield one("UNPACK", f"{dtype}_{axis}_{shape_name(shape)}", [x], [result(x) for _ in range(shape[axis])], {"num": shape[axis], "axis": axis})
    for axis, n, shape in ((0, 2, (4, 3)), (1, 3, (2, 6)), (-1, 2, (2, 3, 4)), (3, 4, (1, 2, 2, 8)), (0, 1, (3,)), (1, 2, (1, 4, 2, 1, 3))):
        for dtype in ("f32", "i8", "u8", "i16", "i32"):
            x = moved(dtype, shape)
            yield one("SPLIT", f"{dtype}_{axis}_{n}_{shape_name(shape)}", [np.array(axis, np.int32), x], [result(x) for _ in range(n)], {"num_splits": n})
    for axis, sizes, shape in ((0, [1, 3], (4, 3)), (1, [2, -1, 1], (2, 6)), (-1, [4], (2, 3, 4)), (3, [1, 2, 5], (1, 2, 2, 8)), (0, [0, 3], (3, 2))):
        for dtype in ("f32", "i8", "u8", "i16", "i32", "i64"):
            x = moved(dtype, shape)
            yield one("SPLIT_V", f"{dtype}_{axis}_{len(sizes)}_{shape_name(shape)}", [x, sizes, np.array(axis, np.int32)], [result(x) for _ in sizes], {"num_splits": len(sizes)})


def repeats():
    yield from each("TILE", [((2, 3), (2, 1)), ((2, 3), (1, 3)), ((3,), (4,)), ((1, 2, 3, 2), (2, 1, 2, 3)), ((2, 3), (1, 1)), ((2, 1, 3), (3, 2, 1)), ((2, 3), (0, 2))], lambda r: [np.array(r[1], np.int32)])
    yield one("TILE", "str", [moved("str", (2, 2)), [2, 1]], [out("str")])
    yield one("TILE", "f32_i64", [moved("f32", (2, 2)), const("i64", [2, 3])], [out("f32")])
    yield from each("BROADCAST_TO", [((3,), (2, 3)), ((2, 1), (2, 4)), ((1, 3, 1), (2, 3, 2)), ((), (2, 2)), ((2, 3), (2, 3)), ((1, 1, 2, 1), (3, 1, 2, 2)), ((2, 1, 3), (2, 2, 1, 2, 3))], lambda r: [np.array(r[1], np.int32)],
                    version=2)
    for a, b in (([2, 1], [3]), ([1], [2, 3]), ([4, 1, 3], [1, 2, 1]), ([], [2, 2])):
        for dtype in ("i32", "i64"):
            yield one("BROADCAST_ARGS", f"{dtype}_{len(a)}_{len(b)}", [feed(dtype, a), feed(dtype, b)], [out(dtype)])
    for dtype in MOVED + ("f16",):
        for shape in ([2, 3], [], [0, 2], [5]):
            yield one("FILL", f"{dtype}_{shape_name(shape)}", [feed("i32", np.array(shape, np.int32)), feed(dtype, np.asarray(values(dtype, (), "fill")), q=quant(dtype))], [out(dtype, quant(dtype))])
    yield one("FILL", "f32_i64", [const("i64", [2, 3]), const("f32", np.float32(2.5))], [out("f32")])


def spaces():
    for shape, block in (((1, 4, 4, 3), 2), ((2, 6, 3, 1), 3), ((1, 2, 4, 5), 2)):
        for dtype in ("f32", "i8", "u8", "i32", "i64", "i16"):
            x = moved(dtype, shape)
            yield one("SPACE_TO_DEPTH", f"{dtype}_{shape_name(shape)}_{block}", [x], [result(x)], {"block_size": block})
    for shape, block in (((1, 2, 2, 12), 2), ((2, 1, 3, 9), 3), ((1, 3, 2, 4), 2)):
        for dtype in ("f32", "i8", "u8", "i32", "i64", "i16"):
            x = moved(dtype, shape)
            yield one("DEPTH_TO_SPACE", f"{dtype}_{shape_name(shape)}_{block}", [x], [result(x)], {"block_size": block})
    yield from each("SPACE_TO_BATCH_ND", [((1, 4, 4, 3), [2, 2], [[0, 0], [0, 0]]), ((1, 3, 5, 2), [2, 3], [[1, 0], [0, 1]]), ((2, 4, 3), [2], [[0, 0]]), ((1, 5, 2), [3], [[1, 0]]), ((1, 4, 4, 1), [1, 2], [[0, 0], [2, 2]])],
                    lambda r: [np.array(r[1], np.int32), np.array(r[2], np.int32)], types=("f32", "i8", "u8", "i32", "i64", "i16"))
    yield from each("BATCH_TO_SPACE_ND", [((4, 2, 2, 3), [2, 2], [[0, 0], [0, 0]]), ((6, 2, 2, 2), [2, 3], [[1, 0], [0, 1]]), ((4, 2, 3), [2], [[0, 0]]), ((3, 2, 2), [3], [[1, 0]])],
                    lambda r: [np.array(r[1], np.int32), np.array(r[2], np.int32)], types=("f32", "i8", "u8", "i32", "i64", "i16"))


def reverses():
    yield from each("REVERSE_V2", [((5,), [0]), ((3, 4), [1]), ((3, 4), [0]), ((2, 3, 4), [-1]), ((2, 3, 4), [1, 2]), ((2, 3, 4, 2), [0, 1])], lambda r: [np.array(r[1], np.int32)])
    for shape, seq, batch, lengths in (((3, 4), 1, 0, [1, 4, 2]), ((4, 3), 0, 1, [4, 1, 3]), ((2, 3, 4), 2, 0, [3, 4]), ((2, 3, 4, 2), 1, 3, [0, 3]), ((2, 3, 4, 2), 2, 0, [1, 2])):
        for dtype in ("f32", "i32", "i8", "u8", "i16", "i64"):
            for kind in ("i32", "i64"):
                x = moved(dtype, shape)
                yield one("REVERSE_SEQUENCE", f"{dtype}_{kind}_{shape_name(shape)}_{seq}_{batch}", [x, feed(kind, lengths)], [result(x)], {"seq_dim": seq, "batch_dim": batch})


def updates():
    for shape, update, start in (((4, 5), (2, 2), [1, 2]), ((4, 5), (2, 2), [9, -3]), ((5,), (3,), [1]), ((2, 3, 4), (1, 3, 2), [1, 0, 1]), ((2, 3, 4), (2, 3, 4), [0, 0, 0])):
        for dtype in ("f32", "i32", "i64", "i8", "bool", "f16", "i16"):
            for kind in ("i32", "i64"):
                yield one("DYNAMIC_UPDATE_SLICE", f"{dtype}_{kind}_{shape_name(shape)}_{start[0]}",
                          [moved(dtype, shape), moved(dtype, update, "u"), feed(kind, start)], [out(dtype, quant(dtype, "moved"))])
    for shape, dilation in (((3, 4), [2, 1]), ((3,), [3]), ((2, 3, 2), [1, 2, 3]), ((2, 2), [1, 1])):
        for dtype in ("f32", "i8", "i32", "i64", "i16", "u8"):
            yield one("DILATE", f"{dtype}_{shape_name(shape)}", [moved(dtype, shape), i32(dilation), const(dtype, np.array(-1 if not dtype.startswith("u") else 9))], [out(dtype, quant(dtype, "moved"))])


def identity_chains():
    """Views of views, and a result that is an input: what a plan may be tempted to alias."""
    x = feed("f32", values("f32", (2, 6)))
    a, b = out("f32"), out("f32")
    yield Case("RESHAPE", "input_twice", [Graph([Op("RESHAPE", [x, i32([3, 4])], [a]), Op("TRANSPOSE", [a, i32([1, 0])], [b])], outputs=[b, a, x])])


def cases():
    for group in (reshapes, transposes, slices, strided_slices, pads, joins, repeats, spaces, reverses, updates, identity_chains):
        yield from group()
