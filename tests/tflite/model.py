"""Writes .tflite models from plain descriptions of their tensors and operators."""
import re

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

# Our name of a type -> the schema's, and the array type that carries its values.
TYPES = {
    "f32": ("FLOAT32", np.float32), "f16": ("FLOAT16", np.float16), "f64": ("FLOAT64", np.float64),
    "i8": ("INT8", np.int8), "i16": ("INT16", np.int16), "i32": ("INT32", np.int32), "i64": ("INT64", np.int64),
    "u8": ("UINT8", np.uint8), "u16": ("UINT16", np.uint16), "u32": ("UINT32", np.uint32), "u64": ("UINT64", np.uint64),
    "bool": ("BOOL", np.bool_), "c64": ("COMPLEX64", np.complex64), "str": ("STRING", np.object_),
    "i4": ("INT4", np.int8), "i2": ("INT2", np.int8), "bf16": ("BFLOAT16", np.uint16),
    "resource": ("RESOURCE", np.int32), "variant": ("VARIANT", np.int32),
}
PACKED_BITS = {"i4": 4, "i2": 2}


class Q:
    """Affine quantization: one scale and zero point, or one of each along `axis`."""

    def __init__(self, scale, zero=0, axis=0):
        self.scale = np.atleast_1d(np.asarray(scale, np.float32))
        self.zero = np.broadcast_to(np.asarray(zero, np.int64), self.scale.shape)
        self.axis = axis


class T:
    """A tensor. `data` makes it a constant, `feed` an input; `runs` an input with an array for each of several runs in a row."""

    def __init__(self, dtype, shape=(), data=None, feed=None, runs=None, q=None, variable=False, name=None, sparsity=None, signature=None):
        self.dtype, self.q, self.variable, self.name, self.sparsity = dtype, q, variable, name, sparsity
        self.data = None if data is None else as_array(dtype, data)
        runs = [feed] if feed is not None else runs
        self.feeds = None if runs is None else [as_array(dtype, f) for f in runs]
        first = self.data if self.data is not None else self.feeds[0] if self.feeds else None
        self.shape = tuple(first.shape) if first is not None and not sparsity else tuple(shape)
        self.signature = signature
        self.block = None  # for block-wise quantization: (scales tensor, block size)


def as_array(dtype, values):
    return np.asarray(values, TYPES[dtype][1])


def const(dtype, values, q=None, **more):
    return T(dtype, data=values, q=q, **more)


def i32(values):
    return T("i32", data=values)


def feed(dtype, values, q=None, **more):
    return T(dtype, feed=values, q=q, **more)


def out(dtype, q=None, shape=()):
    return T(dtype, shape, q=q)


class Op:
    """An operator: its builtin name (or a custom code), tensors (None: left out) and options by the schema's names."""

    def __init__(self, name, inputs, outputs, options=None, options_type=None, version=1, custom=None, custom_options=None, intermediates=()):
        self.name, self.inputs, self.outputs, self.version = name, inputs, outputs, version
        self.options, self.options_type = options or {}, options_type
        self.custom, self.custom_options, self.intermediates = custom, custom_options, list(intermediates)


class Graph:
    def __init__(self, ops, inputs=None, outputs=None, name="main"):
        self.ops, self.name = ops, name
        found = []
        for op in ops:
            for t in op.inputs + op.outputs + op.intermediates:
                if t is not None and t not in found:
                    found.append(t)
        for t in (inputs or []) + (outputs or []):
            if t not in found:
                found.append(t)
        for t in list(found):
            if t.block and t.block[0] not in found:
                found.append(t.block[0])
        self.tensors = found
        self.inputs = inputs if inputs is not None else [t for t in found if t.feeds is not None]
        self.outputs = outputs if outputs is not None else list(ops[-1].outputs)


def pack_bits(values, bits):
    flat = values.reshape(-1).astype(np.int64) & ((1 << bits) - 1)
    per = 8 // bits
    flat = np.concatenate([flat, np.zeros(-len(flat) % per, np.int64)]).reshape(-1, per)
    return (flat << (np.arange(per) * bits)).sum(1).astype(np.uint8)


def string_bytes(values):
    """LiteRT's string tensors: the count, the offsets (one more than strings), the bytes."""
    items = [v if isinstance(v, bytes) else str(v).encode() for v in values.reshape(-1)]
    offsets = np.cumsum([0] + [len(i) for i in items]) + 4 * (len(items) + 2)
    return np.frombuffer(np.asarray([len(items), *offsets], np.int32).tobytes() + b"".join(items), np.uint8)


def data_bytes(t):
    if t.dtype == "str":
        return string_bytes(t.data)
    if t.dtype in PACKED_BITS:
        return pack_bits(t.data, PACKED_BITS[t.dtype])
    return np.frombuffer(np.ascontiguousarray(t.data).tobytes(), np.uint8)


class AlignedBuffer(schema.BufferT):
    """A buffer whose bytes start at a multiple of 16, as the schema asks."""

    def Pack(self, builder):  # noqa: N802 - the generated code's name
        position = None
        if self.data is not None:
            builder.StartVector(1, len(self.data), 16)
            builder.head -= len(self.data)
            builder.Bytes[builder.head:builder.head + len(self.data)] = self.data.tobytes()
            position = builder.EndVector()
        schema.BufferStart(builder)
        if position is not None:
            schema.BufferAddData(builder, position)
        return schema.BufferEnd(builder)


def camel(name):
    return re.sub(r"_(\w)", lambda m: m.group(1).upper(), name)


def options_union(op):
    """The member of the options' union that goes with an operator: AddOptions with ADD."""
    if op.options_type:
        return op.options_type
    wanted = op.name.replace("_", "").lower() + "options"
    for union in (schema.BuiltinOptions, schema.BuiltinOptions2):
        for name in vars(union):
            if name.lower() == wanted:
                return name
    return None


def set_options(o, op):
    name = options_union(op)
    if name is None:
        if op.options:
            raise ValueError(f"{op.name}: which options table?")
        return
    table = getattr(schema, name + "T")()
    for key, value in op.options.items():
        key = camel(key)
        if not hasattr(table, key):
            raise ValueError(f"{name} has no {key}; it has {sorted(vars(table))}")
        setattr(table, key, value)
    if hasattr(schema.BuiltinOptions, name):
        o.builtinOptions, o.builtinOptionsType = table, getattr(schema.BuiltinOptions, name)
    else:
        o.builtinOptions2, o.builtinOptions2Type = table, getattr(schema.BuiltinOptions2, name)


def quantization_of(q):
    p = schema.QuantizationParametersT()
    p.scale, p.zeroPoint, p.quantizedDimension = q.scale, np.ascontiguousarray(q.zero), q.axis
    return p


class Writer:
    def __init__(self):
        self.model = schema.ModelT()
        self.model.version, self.model.description = 3, b"a generated case"
        self.model.operatorCodes, self.model.subgraphs, self.model.buffers = [], [], [schema.BufferT()]
        self.codes = {}

    def code(self, op):
        key = (op.name, op.custom, op.version)
        if key not in self.codes:
            c = schema.OperatorCodeT()
            c.builtinCode = schema.BuiltinOperator.CUSTOM if op.custom else getattr(schema.BuiltinOperator, op.name)
            c.deprecatedBuiltinCode, c.version = min(c.builtinCode, 127), op.version
            c.customCode = op.custom
            self.codes[key] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(c)
        return self.codes[key]

    def tensor(self, t, i, graph):
        s = schema.TensorT()
        s.shape, s.type = np.asarray(t.shape, np.int32), getattr(schema.TensorType, TYPES[t.dtype][0])
        s.name, s.isVariable, s.buffer, s.hasRank = t.name or f"t{i}", t.variable, 0, True
        if t.signature is not None:
            s.shapeSignature = np.asarray(t.signature, np.int32)
        if t.q is not None:
            s.quantization = quantization_of(t.q)
        if t.block:
            p = schema.QuantizationParametersT()
            b = schema.BlockwiseQuantizationT()
            b.scales, b.zeroPoints, b.blockSize = graph.tensors.index(t.block[0]), -1, t.block[1]
            p.details, p.detailsType = b, schema.QuantizationDetails.BlockwiseQuantization
            s.quantization = p
        s.sparsity = t.sparsity
        if t.data is not None:
            b = AlignedBuffer()
            b.data = data_bytes(t)
            s.buffer = len(self.model.buffers)
            self.model.buffers.append(b)
        return s

    def graph(self, g):
        s = schema.SubGraphT()
        s.name = g.name
        s.tensors = [self.tensor(t, i, g) for i, t in enumerate(g.tensors)]
        index = {id(t): i for i, t in enumerate(g.tensors)}
        s.inputs = np.asarray([index[id(t)] for t in g.inputs], np.int32)
        s.outputs = np.asarray([index[id(t)] for t in g.outputs], np.int32)
        s.operators = []
        for op in g.ops:
            o = schema.OperatorT()
            o.opcodeIndex = self.code(op)
            o.inputs = np.asarray([-1 if t is None else index[id(t)] for t in op.inputs], np.int32)
            o.outputs = np.asarray([index[id(t)] for t in op.outputs], np.int32)
            if op.intermediates:
                o.intermediates = np.asarray([index[id(t)] for t in op.intermediates], np.int32)
            if op.custom:
                o.customOptions = None if op.custom_options is None else np.frombuffer(op.custom_options, np.uint8)
            else:
                set_options(o, op)
            s.operators.append(o)
        self.model.subgraphs.append(s)


def write(graphs):
    """The bytes of a model of these graphs, the first one the main one."""
    w = Writer()
    for g in graphs:
        w.graph(g)
    builder = flatbuffers.Builder(4096)
    builder.Finish(w.model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
