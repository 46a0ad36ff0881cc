"""Small ONNX files and arrays for tests, written byte by byte with the standard library alone.

    onnx_files.py custom OUT.onnx      a model with the custom ops of examples/c/example_ops.c
"""
import ast
import io
import struct
import sys
import zipfile

F32, I64 = 1, 7


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


def attribute(name, value):
    if isinstance(value, float):
        return field(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + field(20, 1)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    return field(1, name) + b"".join(field(8, v) for v in value) + field(20, 7)


def node(op, inputs, outputs, name=None, domain="", **attributes):
    out = b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs)
    out += field(3, name or outputs[0]) + field(4, op)
    out += b"".join(field(5, attribute(k, v)) for k, v in attributes.items())
    return out + (field(7, domain) if domain else b"")


def value(name, shape, dtype=F32):
    """A graph input or output. A shape of None leaves the rank open; texts are symbols."""
    tensor = field(1, dtype)
    if shape is not None:
        dims = b"".join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in shape)
        tensor += field(2, dims)
    return field(1, name) + field(2, field(1, tensor))


def tensor(name, shape, values, dtype=F32):
    raw = struct.pack(f"<{len(values)}{'f' if dtype == F32 else 'q'}", *values)
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


def npy(shape, values, dtype="<f4"):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    code = {"<f4": "f", "<f8": "d", "<i8": "q", "|u1": "B"}[dtype]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}{code}", *values)


def npz(arrays):
    """arrays: name -> the bytes of an .npy file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in arrays.items():
            z.writestr(name + ".npy", data)
    return out.getvalue()


def read_npy(data):
    size = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + size].decode())
    kind = {"<f4": "f", "<f8": "d", "<i8": "q", "<i4": "i", "|u1": "B", "|b1": "?"}[header["descr"]]
    body = data[10 + size:]
    return header["shape"], list(struct.unpack(f"<{len(body) // struct.calcsize(kind)}{kind}", body))


def read_npz(path):
    """name -> (shape, values)"""
    with zipfile.ZipFile(path) as z:
        return {n[:-4]: read_npy(z.read(n)) for n in z.namelist()}


if __name__ == "__main__":
    with open(sys.argv[2], "wb") as f:
        f.write({"custom": custom}[sys.argv[1]]())
