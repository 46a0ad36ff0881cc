"""Files made to break a reader: every one is refused with exit 2, says what, where and what to do, takes no memory to speak
of, and leaves nothing half-written."""
import os
import random
import resource
import struct

import onnx_files as onnx
import program
from program import DIGITS

# Runs unittest.main() through program.main().

LIMIT = 96_000_000  # bytes a refusal may take at most, the program itself included
GRAPH, INITIALIZER, EXTERNAL = 7, 5, 13


def content(path):
    with open(path, "rb") as f:
        return f.read()


def relu(shape=("N",), dtype=onnx.F32):
    return onnx.model([onnx.node("Relu", ["x"], ["y"])], [onnx.value("x", shape, dtype)], [onnx.value("y", shape, dtype)])


def one(op, inputs, outputs=("y",), constants=(), graph_inputs=None, **attributes):
    given = [onnx.value("x", [4])] if graph_inputs is None else graph_inputs
    return onnx.model([onnx.node(op, list(inputs), list(outputs), **attributes)], given, [onnx.value(o, None) for o in outputs],
                      constants)


def raw_tensor(name, shape, dtype, raw, extra=b""):
    return b"".join(onnx.field(1, d) for d in shape) + onnx.field(2, dtype) + onnx.field(8, name) + \
        (onnx.field(9, raw) if raw is not None else b"") + extra


def external(location, offset=0, length=16):
    entry = lambda k, v: onnx.field(EXTERNAL, onnx.field(1, k) + onnx.field(2, v))
    return raw_tensor("w", [4], onnx.F32, None, entry("location", location) + entry("offset", str(offset)) +
                      entry("length", str(length)) + onnx.field(14, 1))


class Hostile(program.Case):
    def refuse(self, file, says=(), verbs=("run", "inspect"), arguments=()):
        for verb in verbs:
            error = self.refused(verb, file, "--max-ram", "64M", *arguments, says=says)
            self.assertIn(os.path.basename(file), error["where"], error)
            self.assertTrue(error["hint"], error)
        self.small()

    def small(self):
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, LIMIT)

    def survives(self, file, *arguments):
        """Runs or is refused; never anything else."""
        r = self.mote(*arguments, file, "--max-ram", "64M")
        self.assertIn(r.code, (0, 2), f"{file}: {r.code}\n{r.out}{r.err}")
        if r.code == 2:
            self.assertTrue(r.err.startswith("error: "), r.err)
        self.small()
        return r.code

    # ---- bytes

    def test_cut_short(self):
        whole = content(DIGITS)
        for part in (1, 7, 40, 100, 1000, len(whole) // 2, len(whole) - 1000):
            self.refuse(self.write("cut.onnx", whole[:part]), verbs=("run",))

    def test_changed_bytes(self):
        whole, rng = bytearray(content(DIGITS)), random.Random(1)
        head = len(whole) - 400
        refused = 0
        for i in range(60):
            mutant = bytearray(whole)
            # Structure is at the ends and between the weights.
            for _ in range(1 + i % 3):
                mutant[rng.choice((rng.randrange(200), rng.randrange(head, len(whole)), rng.randrange(len(whole))))] = rng.randrange(256)
            refused += self.survives(self.write("changed.onnx", bytes(mutant)), "inspect") == 2
        self.assertGreater(refused, 5)

    def test_prepared_files(self):
        good = self.path("good.mote")
        self.ok("convert", DIGITS, "-o", good)
        whole = content(good)
        for part in (8, 31, 100, 70_000, len(whole) - 1):
            self.refuse(self.write("cut.mote", whole[:part]), verbs=("run", "plan"))
        self.refuse(self.write("longer.mote", whole + b"x"), verbs=("run",))
        rng = random.Random(2)
        table = [struct.unpack_from("<IIQQQ", whole, 32 + 32 * i) for i in range(struct.unpack_from("<I", whole, 12)[0])]
        start, size = next((offset, size) for kind, _, offset, size, _ in table if kind == 1)
        for at in [*range(8, 96, 4), *(start + rng.randrange(size) for _ in range(20))]:
            mutant = bytearray(whole)
            mutant[at] ^= 1 << rng.randrange(8)
            self.refuse(self.write("changed.mote", bytes(mutant)), verbs=("run",))
        weights = bytearray(whole)
        weights[-5] ^= 16
        self.refused("verify", self.write("weights.mote", bytes(weights)), says="weights")

    def test_texts(self):
        deep = "module \"m\"\nfunc @main(%x: " + "list(" * 100_000 + "f32[1]" + ")" * 100_000 + ") -> (%x) {\n}\n"
        self.refuse(self.write("deep.ir", deep), verbs=("run",))
        self.refuse(self.write("cut.ir", "module \"m\"\nfunc @main(%x: f32[N]) -> (%y) {\n  %y = relu("), verbs=("run",))
        self.refuse(self.write("fill.ir", 'module "m"\nconst @w: f32[99999999,99999999] = fill [0]\nsignature "main" = @main {\n}\n'
                                          "func @main(%x: f32[1]) -> (%y) {\n  %y = add(%x, @w)\n}\n"), verbs=("run",))

    # ---- graphs

    def test_cycles(self):
        loop = onnx.model([onnx.node("Add", ["x", "b"], ["a"]), onnx.node("Relu", ["a"], ["b"])], [onnx.value("x", [4])],
                          [onnx.value("b", [4])])
        self.refuse(self.write("loop.onnx", loop))
        self.refuse(self.write("self.onnx", one("Add", ["x", "y"])))
        # A function that calls itself.
        body = onnx.field(1, "F") + onnx.field(4, "a") + onnx.field(5, "b") + \
            onnx.field(7, onnx.node("F", ["a"], ["b"], domain="local")) + onnx.field(9, onnx.field(2, 17)) + onnx.field(10, "local")
        calls = onnx.model([onnx.node("F", ["x"], ["y"], domain="local")], [onnx.value("x", [4])], [onnx.value("y", [4])],
                           domains=["local"]) + onnx.field(25, body)
        self.refuse(self.write("recursion.onnx", calls))

    def test_deep_nesting(self):
        graph = onnx.field(1, onnx.node("Relu", ["x"], ["y"])) + onnx.field(2, "g") + onnx.field(12, onnx.value("y", [4]))
        for _ in range(3000):
            branch = lambda name: onnx.field(5, onnx.field(1, name) + onnx.field(6, graph) + onnx.field(20, 5))
            then = branch("then_branch")
            inner = onnx.field(1, "c") + onnx.field(2, "y") + onnx.field(4, "If") + then
            graph = onnx.field(1, inner) + onnx.field(2, "g") + onnx.field(12, onnx.value("y", [4]))
        graph += onnx.field(11, onnx.value("x", [4])) + onnx.field(11, onnx.value("c", [], 9))
        self.refuse(self.write("deep.onnx", onnx.field(1, 8) + onnx.field(GRAPH, graph) + onnx.field(8, onnx.field(2, 17))))

    def test_functions_that_multiply(self):
        """Thirty functions that each call the next one twice stand for a billion nodes."""
        model = onnx.model([onnx.node("F0", ["x"], ["y"], domain="local")], [onnx.value("x", [4])], [onnx.value("y", [4])],
                           domains=["local"])
        for i in range(30):
            calls = onnx.node(f"F{i + 1}", ["a"], ["m"], domain="local"), onnx.node(f"F{i + 1}", ["m"], ["b"], domain="local")
            if i == 29:
                calls = (onnx.node("Relu", ["a"], ["b"]),)
            model += onnx.field(25, onnx.field(1, f"F{i}") + onnx.field(4, "a") + onnx.field(5, "b") +
                                b"".join(onnx.field(7, c) for c in calls) + onnx.field(9, onnx.field(2, 17)) +
                                onnx.field(9, onnx.field(1, "local") + onnx.field(2, 1)) + onnx.field(10, "local"))
        self.refuse(self.write("many.onnx", model))

    # ---- sizes and types

    def test_huge_extents(self):
        huge = 1 << 62
        for shape in ([huge, huge], [1 << 40]):
            error = self.refused("bench", self.write("input.onnx", relu(shape)), "--max-ram", "64M")
            self.assertTrue(error["where"] and error["hint"], error)
        self.refuse(self.write("weight.onnx", one("Add", ["x", "w"], constants=[raw_tensor("w", [huge, 8], 1, b"\0" * 16)])))
        self.refuse(self.write("negative.onnx", one("Add", ["x", "w"], constants=[raw_tensor("w", [-4], 1, b"\0" * 16)])))
        shape = onnx.tensor("s", [2], [1 << 20, 1 << 20], onnx.I64)
        for op in ("Expand", "ConstantOfShape"):
            file = self.write("out.onnx", one(op, ["x", "s"] if op == "Expand" else ["s"], constants=[shape],
                                              graph_inputs=[onnx.value("x", [1])]))
            error = self.refused("run", file, "--max-ram", "64M", "--input", "x=" + self.write("x.npy", onnx.npy((1,), [1.0])))
            self.assertTrue(error["where"])
        self.small()

    def test_windows(self):
        image = [onnx.value("x", [1, 1, 8, 8])]
        for name, w, attributes in (("stride", [1, 1, 3, 3], {"strides": [0, 0]}), ("dilation", [1, 1, 3, 3], {"dilations": [1 << 40, 1]}),
                                    ("pads", [1, 1, 3, 3], {"pads": [1 << 62, 1 << 62, 1 << 62, 1 << 62]}),
                                    ("negative", [1, 1, 3, 3], {"pads": [-9, -9, -9, -9]}), ("group", [1, 1, 3, 3], {"group": 7}),
                                    ("kernel", [1, 1, 3, 3], {"kernel_shape": [5, 5]})):
            weight = onnx.tensor("w", w, [0.0] * 9)
            self.refuse(self.write(name + ".onnx", one("Conv", ["x", "w"], constants=[weight], graph_inputs=image, **attributes)))

    def test_lies_about_types(self):
        self.refuse(self.write("short.onnx", one("Add", ["x", "w"], constants=[raw_tensor("w", [4], onnx.F32, b"\0" * 15)])))
        self.refuse(self.write("long.onnx", one("Add", ["x", "w"], constants=[raw_tensor("w", [4], onnx.F32, b"\0" * 17)])))
        self.refuse(self.write("unknown.onnx", one("Add", ["x", "w"], constants=[raw_tensor("w", [4], 99, b"\0" * 16)])))
        self.refuse(self.write("mixed.onnx", one("Add", ["x", "w"], constants=[onnx.tensor("w", [4], [1, 2, 3, 4], onnx.I64)])))
        wrong = onnx.model([onnx.node("Relu", ["x"], ["y"])], [onnx.value("x", [4])], [onnx.value("y", [4], onnx.I64)])
        self.refuse(self.write("output.onnx", wrong))
        shape = onnx.model([onnx.node("Reshape", ["x", "s"], ["y"])], [onnx.value("x", [4])], [onnx.value("y", None)],
                           [onnx.tensor("s", [1], [4.0])])
        self.refuse(self.write("shape.onnx", shape))

    def test_not_a_number(self):
        nan, infinity = float("nan"), float("inf")
        image = [onnx.value("x", [1, 1, 4, 4])]
        for bad in (nan, infinity, -1.0, 1e30):
            scales = onnx.tensor("s", [4], [1.0, 1.0, bad, bad])
            self.refuse(self.write("resize.onnx", one("Resize", ["x", "", "s"], constants=[scales], graph_inputs=image)))
        for start, limit, step in ((0.0, nan, 1.0), (0.0, infinity, 1.0), (0.0, 1.0, 0.0), (0.0, 1e30, 1e-30)):
            constants = [onnx.tensor(n, [], [v]) for n, v in (("a", start), ("b", limit), ("c", step))]
            self.refuse(self.write("range.onnx", one("Range", ["a", "b", "c"], constants=constants, graph_inputs=[])), verbs=("run",))

    # ---- other files

    def test_external_data(self):
        self.write("inside.bin", struct.pack("<4f", 1, 2, 3, 4))
        os.symlink("/etc/hostname", self.path("link.bin"))
        outside = ("../inside.bin", "/etc/passwd", "a/../../inside.bin", "./../x", "link.bin")
        for location in (*outside, "missing.bin", "", "inside.bin\0.txt"):
            self.refuse(self.write("external.onnx", one("Add", ["x", "w"], constants=[external(location)])))
        for offset, length in ((8, 16), (1 << 60, 16), (-1, 16), (0, 1 << 62), (0, 8)):
            self.refuse(self.write("range.onnx", one("Add", ["x", "w"], constants=[external("inside.bin", offset, length)])))
        self.ok("inspect", self.write("good.onnx", one("Add", ["x", "w"], constants=[external("inside.bin")])))

    def test_arrays(self):
        model, good = self.write("m.onnx", relu()), onnx.npy((4,), [1.0, 2.0, 3.0, 4.0])
        rng = random.Random(3)
        arrays = [good[:i] for i in (0, 5, 10, 60, len(good) - 1)] + [good.replace(b"(4,)", s) for s in (b"(9,)", b"(-4,)", b"(4", b"x")]
        arrays.append(good.replace(b"(4,), ", b"(9999999999999,9999999999999), "))
        for data in arrays:
            self.refused("run", model, "--max-ram", "64M", "--input", "x=" + self.write("x.npy", data), says="x.npy")
        zipped = onnx.npz({"x": good})
        for _ in range(30):
            mutant = bytearray(zipped)
            mutant[rng.randrange(len(mutant))] = rng.randrange(256)
            self.survives(model, "run", "--inputs", self.write("x.npz", bytes(mutant)))
        for part in (1, 30, len(zipped) - 10):
            self.refused("run", model, "--inputs", self.write("x.npz", zipped[:part]), says="x.npz")
        self.small()

    # ---- outputs

    def test_nothing_is_half_written(self):
        broken = self.write("broken.onnx", content(DIGITS)[:5000])
        for name in ("out.mote", "out.onnx", "out.ir"):
            old = self.write(name, "what was there before")
            before = sorted(os.listdir(self.folder.name))
            self.refused("convert", broken, "-o", old)
            self.assertEqual(content(old), b"what was there before")
            self.assertEqual(sorted(os.listdir(self.folder.name)), before)


if __name__ == "__main__":
    program.main()
