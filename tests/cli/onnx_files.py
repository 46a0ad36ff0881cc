"""Small ONNX files and arrays for tests, written byte by byte with the standard library alone.

    onnx_files.py custom OUT.onnx      a model with the custom ops of examples/c/example_ops.c
"""
import ast
import io
import struct
import sys
import zipfile

# TensorProto.DataType, and the names Mote's JSON has for them.
DTYPES = {"f32": 1, "u8": 2, "i8": 3, "u16": 4, "i16": 5, "i32": 6, "i64": 7, "string": 8, "boolean": 9, "f16": 10, "f64": 11, "u32": 12,
          "u64": 13, "bf16": 16, "f8e4m3fn": 17, "f8e4m3fnuz": 18, "f8e5m2": 19, "f8e5m2fnuz": 20, "u4": 21, "i4": 22, "f4e2m1": 23}
F32, I64 = DTYPES["f32"], DTYPES["i64"]


def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, value):
    """A protobuf field: an int as a varint, text and bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


class TypeOf:
    """The type of a tensor, as an attribute."""
    def __init__(self, shape, dtype=F32):
        self.proto = field(1, field(1, dtype) + field(2, b"".join(field(1, field(1, d)) for d in shape)))


def attribute(name, value):
    if isinstance(value, float):
        return field(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + field(20, 1)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    if isinstance(value, TypeOf):
        return field(1, name) + field(14, value.proto) + field(20, 13)
    return field(1, name) + b"".join(field(8, v) for v in value) + field(20, 7)


def node(op, inputs, outputs, name=None, domain="", **attributes):
    out = b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs)
    out += field(3, name or outputs[0]) + field(4, op)
    out += b"".join(field(5, attribute(k, v)) for k, v in attributes.items())
    return out + (field(7, domain) if domain else b"")


def value(name, shape, dtype=F32, kind="tensor"):
    """A graph input or output: a tensor, or a sequence or an optional of tensors. A shape of None leaves the rank open; texts are symbols."""
    tensor = field(1, dtype)
    if shape is not None:
        dims = b"".join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in shape)
        tensor += field(2, dims)
    of = field(1, tensor)
    if kind != "tensor":
        of = field({"sequence": 4, "optional": 9}[kind], field(1, of))
    return field(1, name) + field(2, of)


def tensor(name, shape, values, dtype=F32):
    code = {F32: "f", I64: "q", DTYPES["u8"]: "B", DTYPES["i8"]: "b", DTYPES["i32"]: "i"}[dtype]
    raw = struct.pack(f"<{len(values)}{code}", *values)
    return b"".join(field(1, d) for d in shape) + field(2, dtype) + field(8, name) + field(9, raw)


def model(nodes, inputs, outputs, constants=(), opset=17, domains=(), metadata=None):
    graph = b"".join(field(1, n) for n in nodes) + field(2, "test") + b"".join(field(5, c) for c in constants)
    graph += b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs)
    out = field(1, 8) + field(7, graph) + field(8, field(2, opset))
    out += b"".join(field(8, field(1, d) + field(2, 1)) for d in domains)
    out += b"".join(field(14, field(1, k) + field(2, v)) for k, v in (metadata or {}).items())
    return out


def custom():
    """y = KeepPositive(Scale(x, 2))"""
    return model([node("Scale", ["x"], ["scaled"], domain="com.example", factor=2.0),
                  node("KeepPositive", ["scaled"], ["y"], domain="com.example")],
                 [value("x", ["N"])], [value("y", ["K"])], domains=["com.example"])


# numpy's type codes and struct's.
CODES = {"<f2": "e", "<f4": "f", "<f8": "d", "|i1": "b", "<i2": "h", "<i4": "i", "<i8": "q", "|u1": "B", "<u2": "H", "<u4": "I", "<u8": "Q",
         "|b1": "?"}


def npy(shape, values, dtype="<f4"):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    if dtype.startswith("<U"):
        data = b"".join(v.ljust(int(dtype[2:]), "\0").encode("utf-32-le") for v in values)
    else:
        data = struct.pack(f"<{len(values)}{CODES[dtype]}", *values)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def npz(arrays):
    """arrays: name -> the bytes of an .npy file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in arrays.items():
            z.writestr(name + ".npy", data)
    return out.getvalue()


def read_npy(data):
    """(shape, values, numpy's type code)"""
    size = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + size].decode())
    body, descr = data[10 + size:], header["descr"]
    if descr.startswith("<U"):
        width = 4 * int(descr[2:])
        values = [body[i:i + width].decode("utf-32-le").rstrip("\0") for i in range(0, len(body), width)]
    else:
        values = list(struct.unpack(f"<{len(body) // struct.calcsize(CODES[descr])}{CODES[descr]}", body))
    return header["shape"], values, descr


def read_npz(path):
    """name -> (shape, values)"""
    return {name: (shape, values) for name, (shape, values, _) in read_npz_types(path).items()}


def read_npz_types(path):
    """name -> (shape, values, numpy's type code)"""
    with zipfile.ZipFile(path) as z:
        return {n[:-4]: read_npy(z.read(n)) for n in z.namelist()}


if __name__ == "__main__":
    with open(sys.argv[2], "wb") as f:
        f.write({"custom": custom}[sys.argv[1]]())
