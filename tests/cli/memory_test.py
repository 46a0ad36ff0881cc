"""Large files: weights beyond 4 GB of external data, each in memory once whatever is done to it."""
import array
import struct

import onnx_files as onnx
import program

# Runs unittest.main() through program.main().

SIZE = 4096
OFFSET = (1 << 32) + 4096
PERIOD = 4099  # elements; the weights repeat after these


def external(dtype, length):
    out = onnx.field(1, SIZE) * 2 + onnx.field(2, dtype) + onnx.field(8, "w")
    for key, value in (("location", "weights.bin"), ("offset", OFFSET), ("length", length)):
        out += onnx.field(13, onnx.field(1, key) + onnx.field(2, str(value)))
    return out + onnx.field(14, 1)


class Weights(program.Case):
    FORMS = {  # nodes, whether the file has f16
        "as they are": ([onnx.node("MatMul", ["x", "w"], ["y"])], False),
        "transposed": ([onnx.node("Transpose", ["w"], ["t"], perm=[1, 0]), onnx.node("MatMul", ["x", "t"], ["y"])], False),
        "cast": ([onnx.node("Cast", ["w"], ["c"], to=onnx.F32), onnx.node("MatMul", ["x", "c"], ["y"])], True),
        "cast and transposed": ([onnx.node("Cast", ["w"], ["c"], to=onnx.F32), onnx.node("Transpose", ["c"], ["t"], perm=[1, 0]),
                                 onnx.node("MatMul", ["x", "t"], ["y"])], True),
        "16 bits throughout": ([onnx.node("Cast", ["x"], ["h"], to=onnx.DTYPES["f16"]), onnx.node("Gemm", ["h", "w"], ["z"], transB=1),
                                onnx.node("Cast", ["z"], ["y"], to=onnx.F32)], True),
    }

    def write_weights(self, code):
        values = [(i % 61 - 30) / 64 for i in range(PERIOD)]
        period = struct.pack(f"<{PERIOD}{code}", *values)
        size = SIZE * SIZE * struct.calcsize(code)
        with open(self.path("weights.bin"), "wb") as f:
            f.seek(OFFSET)  # a hole, which takes no room on disk
            f.write((period * (size // len(period) + 1))[:size])
        return values, size

    def test_are_in_memory_once(self):
        row = 5
        x = self.write("x.npy", onnx.npy((1, SIZE), array.array("f", [1.0 if i == row else 0.0 for i in range(SIZE)])))
        for form, (nodes, is_half) in self.FORMS.items():
            with self.subTest(form):
                values, size = self.write_weights("e" if is_half else "f")
                weights = external(onnx.DTYPES["f16"] if is_half else onnx.F32, size)
                model = self.write("m.onnx", onnx.model(nodes, [onnx.value("x", [1, SIZE])], [onnx.value("y", None)], [weights]))
                out = self.path("out.npz")
                self.ok("run", model, "--input", f"x={x}", "--outputs", out)
                is_transposed = "transposed" in form or "throughout" in form
                want = [values[(i * SIZE + row if is_transposed else row * SIZE + i) % PERIOD] for i in range(SIZE)]
                self.assertEqual(list(onnx.read_npz(out)["y"][1]), want)
                figures = self.ok("bench", model, "--seconds", "0", "--warmup", "0", "--json").json
                self.assertLessEqual(figures["peak_rss_mb"] * 1e6, 1.15 * figures["weight_bytes"] + figures["arena_bytes"] + 10e6)


if __name__ == "__main__":
    program.main()
