"""Pictures and sounds for tests, and a case that runs the program on them."""
import struct

import onnx_files as onnx
from program import Case


def ppm(width, height, pixels):
    return b"P6 %d %d 255\n" % (width, height) + bytes(pixels)


def read_ppm(path):
    with open(path, "rb") as f:
        data = f.read()
    head, size, top, pixels = data.split(b"\n", 3)
    assert head == b"P6" and top == b"255"
    width, height = map(int, size.split())
    return lambda x, y: tuple(pixels[(y * width + x) * 3:(y * width + x) * 3 + 3])


def wav(samples, rate=16000):
    data = b"".join(struct.pack("<h", round(max(-1, min(1, s)) * 32767)) for s in samples)
    head = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def noise(count, state=1):
    out = []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(((state >> 16) - 32768) / 32768)
    return out


class MediaCase(Case):
    def ok(self, *arguments, code=0):
        r = self.mote(*arguments)
        self.assertEqual(r.code, code, r.err)
        return r

    def refused(self, *arguments, says=""):
        r = self.ok(*arguments, code=2)
        self.assertIn(says, r.err)

    def identity(self, shape, name="m.onnx", metadata=None):
        return self.write(name, onnx.model([onnx.node("Identity", ["x"], ["y"])], [onnx.value("x", shape)], [onnx.value("y", shape)], metadata=metadata))

    def outputs(self, *arguments):
        out = self.path("o.npz")
        self.ok("run", *arguments, "--outputs", out)
        return onnx.read_npz(out)

    def scene(self, width=37, height=23):
        pixels = []
        for y in range(height):
            for x in range(width):
                pixels += [x * 255 // width, (y * 40) % 256, 255 if (x // 5 + y // 3) % 2 else 20]
        return self.write("scene.ppm", ppm(width, height, pixels))
