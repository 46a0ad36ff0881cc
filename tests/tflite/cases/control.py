"""Control flow, variables, random numbers and custom operators."""
import numpy as np

from .common import Case, Graph, Op, Q, T, const, feed, i32, one, out, values


def ifs():
    for dtype in ("f32", "i32", "i8"):
        for k, chosen in enumerate((True, False)):
            q = Q(0.05, 3) if dtype == "i8" else None
            x, y = feed(dtype, values(dtype, (2, 3)), q=q), feed(dtype, values(dtype, (2, 3), 1), q=q)
            result = out(dtype, q, (2, 3))
            branch = lambda op, name: Graph([Op(op, [a := T(dtype, (2, 3), q=q), b := T(dtype, (2, 3), q=q)], [out(dtype, q, (2, 3))])], [a, b], name=name)  # noqa: E731,B023
            main = Graph([Op("IF", [feed("bool", np.array([chosen])), x, y], [result], {"then_subgraph_index": 1, "else_subgraph_index": 2})])
            yield Case("IF", f"{dtype}_{k}", [main, branch("ADD", "then"), branch("MUL", "else")])
    # The branches give different shapes, and one gives its input unchanged.
    for k, chosen in enumerate((True, False)):
        x = feed("f32", values("f32", (2, 3)))
        a, b = T("f32", (2, 3)), T("f32", (2, 3))
        main = Graph([Op("IF", [feed("bool", np.array([chosen])), x], [out("f32")], {"then_subgraph_index": 1, "else_subgraph_index": 2})])
        yield Case("IF", f"shapes_{k}", [main, Graph([Op("PAD", [a, i32([[1, 1], [0, 2]])], [out("f32", shape=(4, 5))])], [a]), Graph([Op("ABS", [T("f32", (2, 3))], [T("f32", (2, 3))])] if k > 5 else [Op("NEG", [b], [out("f32", shape=(2, 3))])], [b])])


def whiles():
    def loop(limit, body_op, dtype="f32", shape=(2, 2), grows=False):
        n, x = feed("i32", np.array([0])), feed(dtype, values(dtype, shape))
        main = Graph([Op("WHILE", [n, x], [out("i32", shape=(1,)), out(dtype, shape=shape)], {"cond_subgraph_index": 1, "body_subgraph_index": 2})])
        cn, cx = T("i32", (1,)), T(dtype, shape)
        cond = Graph([Op("LESS", [cn, i32([limit])], [out("bool", shape=(1,))])], [cn, cx])
        bn, bx = T("i32", (1,)), T(dtype, shape)
        bn2, bx2 = out("i32", shape=(1,)), out(dtype, shape=() if grows else shape)
        step = Op("ADD", [bn, i32([1])], [bn2])
        body = Graph([step, Op("CONCATENATION", [bx, const(dtype, np.ones((1, shape[1])))], [bx2], {"axis": 0}) if grows else Op(body_op, [bx, const(dtype, np.full((1,), 2))], [bx2])], [bn, bx], [bn2, bx2])
        return [main, cond, body]

    for limit in (0, 1, 5):
        for op in ("ADD", "MUL"):
            for dtype in ("f32", "i32"):
                yield Case("WHILE", f"{dtype}_{op}_{limit}", loop(limit, op, dtype))
        yield Case("WHILE", f"grows_{limit}", loop(limit, "", grows=True))
    # A loop in a loop: 3 times 2 doublings.
    n, x = feed("i32", np.array([0])), feed("f32", values("f32", (3,)))
    main = Graph([Op("WHILE", [n, x], [out("i32", shape=(1,)), out("f32", shape=(3,))], {"cond_subgraph_index": 1, "body_subgraph_index": 2})])
    def cond(limit):
        a, b = T("i32", (1,)), T("f32", (3,))
        return Graph([Op("LESS", [a, i32([limit])], [out("bool", shape=(1,))])], [a, b])
    a, b = T("i32", (1,)), T("f32", (3,))
    na, ni, nb = out("i32", shape=(1,)), out("i32", shape=(1,)), out("f32", shape=(3,))
    outer = Graph([Op("WHILE", [i32([0]), b], [ni, nb], {"cond_subgraph_index": 3, "body_subgraph_index": 4}), Op("ADD", [a, i32([1])], [na])], [a, b], [na, nb])
    a, b = T("i32", (1,)), T("f32", (3,))
    na, nb = out("i32", shape=(1,)), out("f32", shape=(3,))
    inner = Graph([Op("MUL", [b, const("f32", [2.0])], [nb]), Op("ADD", [a, i32([1])], [na])], [a, b], [na, nb])
    yield Case("WHILE", "nested", [main, cond(3), outer, cond(2), inner])


def composites():
    """Operations by name, spelled out as subgraphs: of floats, of integers, and one in another."""
    def composite(x, y, index):
        options = {"name": f"mote.case_{index}", "decomposition_subgraph_index": index, "composite_attributes": np.frombuffer(flex(), np.uint8), "version": 1}
        return Op("STABLEHLO_COMPOSITE", [*x], [y], options, options_type="StableHLOCompositeOptions")

    for dtype, q in (("f32", None), ("i32", None), ("i8", Q(0.05, 3)), ("i16", Q(0.01, 0))):
        x, y, z = (feed(dtype, values(dtype, (2, 3), k), q=q) for k in "xyz")
        a, b, inner = T(dtype, (2, 3), q=q), T(dtype, (2, 3), q=q), out(dtype, q, (2, 3))
        step = Graph([Op("SUB", [b, a], [inner])], [a, b], name="step")
        yield Case("STABLEHLO_COMPOSITE", dtype, [Graph([composite([x, y], out(dtype, q, (2, 3)), 1)]), step])
        # Its operands in another order, used twice, and one composite that uses the other.
        a, b, c = (T(dtype, (2, 3), q=q) for _ in range(3))
        first, second = out(dtype, q, (2, 3)), out(dtype, q, (2, 3))
        outer = Graph([composite([c, a], first, 2), composite([first, b], second, 2)], [a, b, c], [second], name="outer")
        yield Case("STABLEHLO_COMPOSITE", f"nested_{dtype}", [Graph([composite([x, y, z], out(dtype, q, (2, 3)), 1)]), outer, step])


def variables():
    """A counter that CALL_ONCE sets to 10 and each run adds to."""
    for dtype in ("f32", "i32"):
        handle = lambda: Op("VAR_HANDLE", [], [T("resource", (1,))], {"container": "", "shared_name": "counter"})  # noqa: E731
        once = handle()
        init = Graph([once, Op("ASSIGN_VARIABLE", [once.outputs[0], const(dtype, [10, 20])], [])], [], [], name="init")
        h, old, new, again = handle(), out(dtype, shape=(2,)), out(dtype, shape=(2,)), out(dtype, shape=(2,))
        x = T(dtype, runs=[np.array(v) for v in ([1, 2], [3, 4], [5, 6])])
        main = Graph([Op("CALL_ONCE", [], [], {"init_subgraph_index": 1}), h, Op("READ_VARIABLE", h.outputs, [old]), Op("ADD", [old, x], [new]), Op("ASSIGN_VARIABLE", [h.outputs[0], new], []),
                      Op("READ_VARIABLE", h.outputs, [again])], outputs=[old, again])
        for op in ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"):
            yield Case(op, dtype, [main, init])


def randoms():
    for k, (a, b) in enumerate(((1, 2), (0, 7), (12345, 0), (2**31 - 1, 99))):
        for op in ("RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL"):
            for shape in ([5], [2, 3], [7, 9]):
                yield one(op, f"f32_{k}_{len(shape)}_{shape[0]}", [feed("i32", shape)], [out("f32")], {"seed": a, "seed2": b}, options_type="RandomOptions")
        for dtype in ("i32", "i64"):
            logits = feed("f32", np.log(np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])))
            yield one("MULTINOMIAL", f"{dtype}_{k}", [logits, np.array(11, np.int32)], [out(dtype)], {"seed": a, "seed2": b}, options_type="RandomOptions")


def flex(**values_):
    """The bytes of a flexbuffer map."""
    from flatbuffers import flexbuffers
    b = flexbuffers.Builder()
    with b.Map():
        for key, value in values_.items():
            if isinstance(value, bool):
                b.Bool(key, value)
            elif isinstance(value, float):
                b.Float(key, value)
            else:
                b.Int(key, value)
    return bytes(b.Finish())


def customs():
    anchors = np.array([[0.5, 0.5, 1, 1], [0.5, 0.5, 1, 1], [0.5, 0.5, 1, 1], [0.5, 10.5, 1, 1], [0.5, 10.5, 1, 1], [0.5, 100.5, 1, 1]], np.float32)
    boxes = np.array([[[0, 0, 0, 0], [0, 1, 0, 0], [0, -1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]], np.float32)
    scores = np.array([[[0, .9, .8], [0, .75, .72], [0, .6, .5], [0, .93, .95], [0, .5, .4], [0, .3, .2]]], np.float32)
    for k, more in enumerate(({"use_regular_nms": False}, {"use_regular_nms": True}, {"use_regular_nms": False, "max_classes_per_detection": 2}, {"use_regular_nms": True, "detections_per_class": 1})):
        settings = {"max_detections": 3, "max_classes_per_detection": 1, "detections_per_class": 100, "nms_score_threshold": 0.0, "nms_iou_threshold": 0.5, "num_classes": 2, "y_scale": 10.0, "x_scale": 10.0,
                    "h_scale": 5.0, "w_scale": 5.0} | more
        yield one("TFLite_Detection_PostProcess", f"f32_{k}", [feed("f32", boxes), feed("f32", scores), const("f32", anchors)], [out("f32") for _ in range(4)], custom="TFLite_Detection_PostProcess",
                  custom_options=flex(**settings))
        quantized = [feed("u8", np.clip(np.round(boxes * 85 + 128), 0, 255), q=Q(1 / 85, 128)), feed("u8", np.round(scores * 255), q=Q(1 / 255, 0)), const("u8", np.clip(np.round(anchors * 2), 0, 255), q=Q(0.5, 0))]
        yield one("TFLite_Detection_PostProcess", f"u8_{k}", quantized, [out("f32") for _ in range(4)], custom="TFLite_Detection_PostProcess", custom_options=flex(**settings))
    wave = np.sin(np.arange(400) * 0.3)[:, None].astype(np.float32) + values("f32", (400, 1), "noise", -0.1, 0.1)
    for window, stride, squared in ((128, 64, True), (100, 50, False), (64, 64, True)):
        yield one("AudioSpectrogram", f"{window}_{stride}_{squared}", [feed("f32", wave)], [out("f32")], custom="AudioSpectrogram", custom_options=flex(window_size=window, stride=stride, magnitude_squared=squared))
    many = feed("f32", values("f32", (300, 2), "stereo", -1, 1))
    for window, stride in ((200, 100), (2, 1), (33, 500), (300, 7), (301, 1)):
        yield one("AudioSpectrogram", f"stereo_{window}_{stride}", [many], [out("f32")], custom="AudioSpectrogram", custom_options=flex(window_size=window, stride=stride, magnitude_squared=stride % 2 == 0))
    for k, (low, high, channels, count, rate, shape) in enumerate(((20.0, 4000.0, 40, 13, 8000, (2, 3, 257)), (0.0, 7999.9, 20, 20, 16000, (1, 4, 65)), (300.5, 3400.0, 1, 1, 16000, (1, 2, 33)), (20.0, 9000.0, 40, 13, 16000, (1, 3, 129)),
                                                                   (100.0, 110.0, 3, 2, 16000, (1, 2, 17)), (20.0, 4000.0, 40, 13, 16000, (2, 0, 129)))):
        yield one("Mfcc", f"bands_{k}", [feed("f32", np.abs(values("f32", shape, "bands")) ** 3), i32([rate])], [out("f32")], custom="Mfcc",
                  custom_options=flex(upper_frequency_limit=high, lower_frequency_limit=low, filterbank_channel_count=channels, dct_coefficient_count=count))
    for count in (13, 40):
        spectrum = feed("f32", np.abs(values("f32", (1, 3, 129), "spectrum")))
        yield one("Mfcc", f"{count}", [spectrum, i32([16000])], [out("f32")], custom="Mfcc", custom_options=flex(upper_frequency_limit=4000.0, lower_frequency_limit=20.0, filterbank_channel_count=40, dct_coefficient_count=count))


def cases():
    for group in (ifs, whiles, composites, variables, randoms, customs):
        yield from group()
