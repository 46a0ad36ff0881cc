"""MatMulNBits of ONNX Runtime's domain: held to its definition, the sum of x (w - zero) * scale by blocks of columns."""
import onnx_files as onnx
import program

# Runs unittest.main() through program.main().


def numbers(count, state, low, high):
    """Seeded numbers from low to high - 1."""
    out = []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(low + (state >> 8) % (high - low))
    return out


def packed(values, bits):
    """Rows of numbers, each from a byte of its own on."""
    out = []
    for row in values:
        whole = sum(v << (i * bits) for i, v in enumerate(row))
        out += list(whole.to_bytes((len(row) * bits + 7) // 8, "little"))
    return out


class Product:
    """A model, its input and what it gives."""

    def __init__(self, k=32, n=3, bits=4, block=16, zero="float", order=None, bias=False, **attributes):
        blocks = -(-k // block)
        rows = lambda flat, width: [flat[i:i + width] for i in range(0, len(flat), width)]  # noqa: E731
        w = rows(numbers(n * blocks * block, 1, 0, 1 << bits), blocks * block)
        scales = rows([v / 64 for v in numbers(n * blocks, 2, 1, 40)], blocks)
        groups = [i // block for i in range(k)]
        if order == "mixed":
            groups = [(i * 7) % k // block for i in range(k)]
        elif order:
            groups = order
        constants = [onnx.tensor("w", (n, blocks, block * bits // 8), packed(w, bits), onnx.DTYPES["u8"]),
                     onnx.tensor("s", (n * blocks,), sum(scales, []))]
        zeros = [[float(1 << (bits - 1))] * blocks] * n
        inputs = ["x", "w", "s", "", "", ""]
        if zero == "float":
            zeros = rows([v / 8 for v in numbers(n * blocks, 3, 0, 8 << bits)], blocks)
            constants.append(onnx.tensor("z", (n, blocks), sum(zeros, [])))
        elif zero == "packed":
            zeros = rows(numbers(n * blocks, 3, 0, 1 << bits), blocks)
            constants.append(onnx.tensor("z", (len(packed(zeros, bits)),), packed(zeros, bits), onnx.DTYPES["u8"]))
        if zero:
            inputs[3] = "z"
        if order:
            constants.append(onnx.tensor("g", (k,), groups, onnx.DTYPES["i32"]))
            inputs[4] = "g"
        added = [0.0] * n
        if bias:
            added = [v / 4 for v in numbers(n, 4, -9, 9)]
            constants.append(onnx.tensor("b", (n,), added))
            inputs[5] = "b"
        while not inputs[-1]:
            inputs.pop()
        self.shape = (2, 2, k)
        self.x = [v / 16 for v in numbers(4 * k, 5, -40, 40)]
        node = onnx.node("MatMulNBits", inputs, ["y"], domain="com.microsoft", K=k, N=n, bits=bits, block_size=block, **attributes)
        self.model = onnx.model([node], [onnx.value("x", ["A", 2, k])], [onnx.value("y", ["A", 2, n])], constants, domains=["com.microsoft"])
        self.y = [added[c] + sum(self.x[r * k + i] * (w[c][i] - zeros[c][g]) * scales[c][g] for i, g in enumerate(groups)) for r in range(4) for c in range(n)]


PRODUCTS = [Product(), Product(k=40, zero="float", bias=True), Product(bits=8), Product(bits=2, k=64, block=32), Product(order="mixed", k=1152), Product(order="mixed", zero=None, bias=True),
            Product(order="mixed", zero="packed", bits=8), Product(k=48, zero="packed", order="mixed"), Product(bits=2, order="mixed", zero="packed", k=64), Product(zero="packed", accuracy_level=4),
            Product(zero=None, k=40, order=[2] * 8 + [1] * 16 + [0] * 16)]


class BlockProducts(program.Case):
    def test_zero_points_in_floating_point_and_columns_in_any_order(self):
        for i, p in enumerate(PRODUCTS):
            model, out = self.write("m.onnx", p.model), self.path("out.npz")
            prepared = self.path("m.mote")
            self.ok("convert", model, "-o", prepared)
            for file in (model, prepared):
                self.ok("run", file, "--inputs", self.write("in.npz", onnx.npz({"x": onnx.npy(p.shape, p.x)})), "--outputs", out)
                shape, y = onnx.read_npz(out)["y"]
                self.assertEqual(tuple(shape), (2, 2, 3))
                for got, wanted in zip(y, p.y):
                    self.assertLess(abs(got - wanted), 2e-5 * max(abs(v) for v in p.y), i)

    def test_weights_stay_packed(self):
        for p in PRODUCTS:
            steps = self.ok("plan", self.write("m.onnx", p.model), "--json").json["steps"]
            self.assertEqual([s["op"] for s in steps].count("matmul_nbits"), 1, steps)

    def test_refusals(self):
        uneven = Product(k=32, zero=None, order=[0] * 17 + [1] * 15)
        self.refused("run", self.write("m.onnx", uneven.model), says="g_idx")
        wrong = onnx.model([onnx.node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=32, N=3, bits=4, block_size=16)],
                           [onnx.value("x", [1, 32])], [onnx.value("y", [1, 3])],
                           [onnx.tensor("w", (3, 2, 7), [0] * 42, onnx.DTYPES["u8"]), onnx.tensor("s", (6,), [1.0] * 6)], domains=["com.microsoft"])
        self.refused("run", self.write("m.onnx", wrong), says="MatMulNBits")


if __name__ == "__main__":
    program.main()
