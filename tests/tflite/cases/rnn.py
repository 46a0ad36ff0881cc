"""Recurrent layers, run three times in a row so that their states matter."""
import numpy as np

from .common import Q, T, const, feed, narrow, one, out, rng, values


def state(dtype, shape, q=None):
    return T(dtype, shape, q=q, variable=True)


def several(dtype, shape, key, q=None):
    return T(dtype, runs=[values(dtype, shape, f"{key}{i}", *((-1, 1) if dtype == "f32" else ())) for i in range(3)], q=q)


def matrix(dtype, shape, key, spread=1.0):
    """Weights: floats, or integers with one symmetric scale (hybrid)."""
    if dtype == "f32":
        return const("f32", rng("m", key, shape).normal(size=shape) * spread * 0.5)
    return const(dtype, narrow(dtype, values(dtype, shape, key)), q=Q(spread * 1.5 / 128, 0))


def vector(n, key, spread=0.3):
    return const("f32", rng("v", key, n).normal(size=n) * spread)


def plain_cells():
    b, n, u, t = 2, 5, 4, 3
    for kind in ("f32", "i8", "u8"):
        for a in (0, 1, 4):
            for asymmetric in (False, True) if kind != "f32" else (False,):
                options = {"fused_activation_function": a, "asymmetric_quantize_inputs": asymmetric}
                name = f"{kind}_{a}_{asymmetric}"
                cell = lambda k: [matrix(kind, (u, n), f"w{k}"), matrix(kind, (u, u), f"r{k}"), vector(u, f"b{k}"), state("f32", (b, u))]  # noqa: E731,B023
                yield one("RNN", name, [several("f32", (b, n), "x"), *cell("")], [out("f32")], options)
                for major in (False, True):
                    shape = (t, b, n) if major else (b, t, n)
                    yield one("UNIDIRECTIONAL_SEQUENCE_RNN", f"{name}_{major}", [several("f32", shape, "x"), *cell("")], [out("f32")], options | {"time_major": major}, options_type="SequenceRNNOptions")
                    for merge in (False, True):
                        x = several("f32", shape, "x")
                        outputs = [out("f32")] if merge else [out("f32"), out("f32")]
                        yield one("BIDIRECTIONAL_SEQUENCE_RNN", f"{name}_{major}_{merge}", [x, *cell("f"), *cell("b"), None, None, None], outputs, options | {"time_major": major, "merge_outputs": merge})
                        aux = [several("f32", shape, "aux"), matrix(kind, (u, n), "fa"), matrix(kind, (u, n), "ba")]
                        yield one("BIDIRECTIONAL_SEQUENCE_RNN", f"{name}_{major}_{merge}_aux", [x, *cell("f"), *cell("b"), *aux], outputs, options | {"time_major": major, "merge_outputs": merge})


def svdfs():
    b, n, units, rank, memory = 2, 6, 4, 2, 5
    for rank in (1, 2):
        f = units * rank
        for kind in ("f32", "i8", "u8"):
            for a in (0, 1):
                for asymmetric in (False, True) if kind != "f32" else (False,):
                    for bias in (True, False):
                        yield one("SVDF", f"{kind}_{rank}_{a}_{asymmetric}_{bias}",
                                  [several("f32", (b, n), "x"), matrix(kind, (f, n), "wf"), matrix(kind, (f, memory), "wt"), vector(units, "b") if bias else None, state("f32", (b, memory * f))], [out("f32")],
                                  {"rank": rank, "fused_activation_function": a, "asymmetric_quantize_inputs": asymmetric})
        for time, scale in (("i16", 1 / 8192),):  # LiteRT reads states of 8 bits as 16
            for a in (0, 1):
                x = several("i8", (b, n), "x", Q(0.03, -11))
                bias = const("i32", rng("svdf").integers(-3000, 3000, units), q=Q(scale * 0.002, 0))
                for k in range(3):
                    yield one("SVDF", f"int_{time}_{rank}_{a}_{k}", [x, const("i8", values("i8", (f, n), k), q=Q(0.01, 0)), const(time, values(time, (f, memory), k), q=Q(scale, 0)), bias,
                                                                 state(time, (b, memory * f), Q(0.002 if time == "i16" else 0.1, 0))], [out("i8", Q((0.05, 0.2, 0.9)[k], (4, -40, 100)[k]))], {"rank": rank, "fused_activation_function": a})


def lstm_operands(kind, n, u, o, b, peephole, layer_norm, projection, coupled, key, extra=0):
    """Operands 1 to 23 of an LSTM."""
    m = lambda shape, k: matrix(kind, shape, key + k, 0.7)  # noqa: E731
    gates = ["i", "f", "c", "o"]
    use = [g for g in gates if not (coupled and g == "i")]
    w = [m((u, n), "w" + g) if g in use else None for g in gates]
    r = [m((u, o), "r" + g) if g in use else None for g in gates]
    p = [m((u,), "p" + g) if peephole and g in use else None for g in ("i", "f", "o")]
    bias = [vector(u, key + "b" + g) if g in use else None for g in gates]
    proj = [m((o, u), "proj") if projection else None, vector(o, key + "pb") if projection == 2 else None]
    states = [state("f32", (b, o)), state("f32", (b, u))]
    norm = [vector(u, key + "n" + g, 1.0) if g in use else None for g in gates] if layer_norm else []
    return [*w, *r, *p, *bias, *proj], states, norm


def lstms():
    b, n, u, t = 2, 5, 4, 3
    variants = [(peephole, norm, projection, coupled) for peephole in (False, True) for norm in (False, True) for projection in (0, 1, 2) for coupled in (False, True)]
    for kind in ("f32", "i8", "u8"):
        for i, (peephole, norm, projection, coupled) in enumerate(variants):
            if kind != "f32" and i % 3:
                continue
            o = 3 if projection else u
            weights, states, norms = lstm_operands(kind, n, u, o, b, peephole, norm, projection, coupled, f"l{i}")
            options = {"fused_activation_function": 4, "cell_clip": (0.0, 0.4)[i % 2], "proj_clip": (0.0, 0.3)[i % 2] if projection else 0.0}
            yield one("LSTM", f"{kind}_{i}", [several("f32", (b, n), "x"), *weights, *states, *norms], [out("f32")], options | {"kernel_type": 0})
            for major in (False, True):
                shape = (t, b, n) if major else (b, t, n)
                for asymmetric in (False, True) if kind != "f32" else (False,):
                    yield one("UNIDIRECTIONAL_SEQUENCE_LSTM", f"{kind}_{i}_{major}_{asymmetric}", [several("f32", shape, "x"), *weights, *states, *norms], [out("f32")],
                              options | {"time_major": major, "asymmetric_quantize_inputs": asymmetric})
            if norm:
                continue
            back, back_states, _ = lstm_operands(kind, n, u, o, b, peephole, False, projection, coupled, f"bl{i}")
            # Merged outputs are left out: LiteRT's own answer changes from run to run there.
            for aux in (False, True):
                shape = (t, b, n)
                more = [several("f32", shape, "aux"), *[matrix(kind, (u, n), f"aux{g}") if not (coupled and g in (0, 4)) else None for g in range(8)]] if aux else [None] * 9
                yield one("BIDIRECTIONAL_SEQUENCE_LSTM", f"{kind}_{i}_{aux}", [several("f32", shape, "x"), *weights, *back, *states, *back_states, *more], [out("f32"), out("f32")],
                          options | {"merge_outputs": False, "time_major": True})


def basic_lstms():
    for b, n, u in ((1, 3, 2), (2, 5, 4), (3, 16, 7)):
        yield one("LSTM", f"basic_f32_{b}", [feed("f32", values("f32", (b, n))), feed("f32", values("f32", (b, u), "a", -1, 1)), matrix("f32", (4 * u, n + u), "w"), vector(4 * u, "b"), feed("f32", values("f32", (b, u), "s", -1, 1))],
                  [out("f32"), out("f32"), out("f32"), out("f32")], {"fused_activation_function": 4, "kernel_type": 1, "cell_clip": 0.0, "proj_clip": 0.0})
        q, s = Q(1 / 128, 128), Q(1 / 2048, 0)
        yield one("LSTM", f"basic_u8_{b}", [feed("u8", values("u8", (b, n)), q=q), feed("u8", values("u8", (b, u), "a"), q=q), const("u8", values("u8", (4 * u, n + u)), q=Q(0.01 * b * b, 121)),
                                            const("i32", rng("basic").integers(-3000, 3000, 4 * u), q=Q(0.01 * b * b / 128, 0)), feed("i16", values("i16", (b, u)), q=s)],
                  [out("u8", q), out("i16", s), out("u8", q), out("i16", Q(1 / 4096, 0))], {"fused_activation_function": 4, "kernel_type": 1, "cell_clip": 0.0, "proj_clip": 0.0})


def integer_lstm(op, i, peephole, norm, projection, coupled, major):
    b, n, u, t = 2, 5, 4, 3
    o = 3 if projection else u
    key = f"il{i}"
    gates = ["i", "f", "c", "o"]
    use = [g for g in gates if not (coupled and g == "i")]
    w8 = lambda shape, k: const("i8", values("i8", shape, key + k), q=Q(float(rng(key, k).uniform(0.004, 0.012)), 0))  # noqa: E731
    bias = lambda count, k: const("i32", rng(key, "b", k).integers(-5000, 5000, count), q=Q(1e-5, 0))  # noqa: E731
    w = [w8((u, n), "w" + g) if g in use else None for g in gates]
    r = [w8((u, o), "r" + g) if g in use else None for g in gates]
    p = [const("i16", values("i16", (u,), key + "p" + g), q=Q(1 / 32768, 0)) if peephole and g in use else None for g in ("i", "f", "o")]
    biases = [bias(u, g) if g in use else None for g in gates]
    proj = [w8((o, u), "proj") if projection else None, bias(o, "pb") if projection == 2 else None]
    q_in, q_out = Q(1 / 100, 7), Q(1 / 110, -3)
    states = [state("i8", (b, o), q_out), state("i16", (b, u), Q(2.0**-11, 0))]
    norms = [const("i16", values("i16", (u,), key + "n" + g), q=Q(1 / 30000, 0)) if g in use else None for g in gates] if norm else [None] * 4
    hidden = Q(1 / 120, 5)
    intermediates = [out("i16", Q(1 / 3000, 0)) for _ in range(4)] + [out("i8", hidden)]
    shape = (b, n) if op == "LSTM" else (t, b, n) if major else (b, t, n)
    options = {"fused_activation_function": 4, "cell_clip": (0.0, 5.0)[i % 2], "proj_clip": 0.0} | ({"time_major": major} if op != "LSTM" else {"kernel_type": 0})
    return one(op, f"int_{i}_{major}", [several("i8", shape, "x", q_in), *w, *r, *p, *biases, *proj, *states, *norms], [out("i8", q_out)], options, intermediates=intermediates)


def integer_lstms():
    i = 0
    for peephole in (False, True):
        for norm in (False, True):
            for projection in (0, 1, 2):
                for coupled in (False, True):
                    yield integer_lstm("LSTM", i, peephole, norm, projection, coupled, False)
                    for major in (False, True):
                        yield integer_lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", i, peephole, norm, projection, coupled, major)
                    i += 1


def cases():
    for group in (plain_cells, svdfs, lstms, basic_lstms, integer_lstms):
        yield from group()
