"""What the case makers share: cases, seeded values that reach the ends of their range, shapes."""
import zlib

import numpy as np

from model import TYPES, Graph, Op, Q, T, const, feed, i32, out, write  # noqa: F401 - for the case makers

INT_RANGE = {"i8": (-128, 127), "u8": (0, 255), "i16": (-32768, 32767), "i4": (-8, 7), "i2": (-2, 1)}
QUANTIZED = ("i8", "u8", "i16")


class Case:
    """A model of one operator (or what it takes to reach it) and its runs: lists of arrays by the inputs of the graph."""

    def __init__(self, op, name, graphs):
        self.op, self.name, self.graphs = op, name, graphs
        # LiteRT's reference kernels leave sums of signed integers of 8 and 16 bits unset: whatever was in memory. Its optimized ones make them.
        self.reference = not (op == "SUM" and graphs[0].inputs[0].dtype in ("i8", "i16"))
        feeds = [t.feeds for t in graphs[0].inputs]
        self.runs = [[f[min(i, len(f) - 1)] for f in feeds] for i in range(max([len(f) for f in feeds] or [1]))]

    def write(self):
        return write(self.graphs)


def one(op, name, inputs, outputs, options=None, **more):
    """A case of one operator. Operands that are numbers or lists are i32 constants."""
    inputs = [t if t is None or isinstance(t, T) else i32(t) for t in inputs]
    return Case(op, name, [Graph([Op(op, inputs, outputs, options, **more)])])


def rng(*key):
    return np.random.default_rng(zlib.crc32("/".join(map(str, key)).encode()))


def values(dtype, shape, key="", low=None, high=None, ends=True):
    """Seeded values. Integers of 8 and 16 bits use their whole range and reach its ends; floats are normal times 3."""
    r = rng(dtype, shape, key)
    if dtype in ("f32", "f16", "f64"):
        v = r.normal(size=shape) * 3 if low is None else r.uniform(low, high, shape)
        return v.astype(TYPES[dtype][1])
    if dtype == "c64":
        return (r.normal(size=shape) + 1j * r.normal(size=shape)).astype(np.complex64)
    if dtype == "bool":
        return r.integers(0, 2, shape).astype(bool)
    if dtype == "str":
        words = [b"", b"a", b"mote", b"a longer string", b"z\xc3\xa9", b"-7", b"3.5"]
        return np.array([words[i] for i in r.integers(0, len(words), int(np.prod(shape)))], object).reshape(shape)
    if low is None:
        low, high = INT_RANGE.get(dtype, (0, 50) if dtype.startswith("u") else (-50, 50))
    v = r.integers(low, high + 1, shape).astype(TYPES[dtype][1])
    if ends and v.size > 1:
        v.reshape(-1)[0], v.reshape(-1)[-1] = low, high
    return v


def narrow(dtype, v):
    """Weights of hybrid operators, as converters write them: without the least value, whose negative LiteRT's vector code wraps."""
    least = {"i8": -128, "u8": 128, "i4": -8, "i2": -2}.get(dtype)  # u8 is read as i8
    return v if least is None else np.where(v == least, least - 1 if dtype == "u8" else least + 1, v).astype(v.dtype)


def quant(dtype, key="", scale=None, zero=None):
    """A plausible quantization of a tensor: None for floats, zero point 0 for 16 bits."""
    if dtype not in QUANTIZED:
        return None
    r = rng("quant", dtype, key)
    if scale is None:
        scale = float(r.uniform(0.01, 0.12)) / (256 if dtype == "i16" else 1)
    if zero is None:
        zero = 0 if dtype == "i16" else int(r.integers(INT_RANGE[dtype][0], INT_RANGE[dtype][1] + 1))
    return Q(scale, zero)


def shape_name(shape):
    return "x".join(map(str, shape)) or "scalar"


def same(t):
    """An output with the type and quantization of `t`."""
    return out(t.dtype, t.q)
