"""What values look like on their way in and out: dtypes, lists, optionals, strings, names."""
import os

import onnx_files as onnx
import program

# Runs unittest.main() through program.main().

# dtype -> numpy's type code of an output
STORED = {"f32": "<f4", "f64": "<f8", "f16": "<f2", "i8": "|i1", "i16": "<i2", "i32": "<i4", "i64": "<i8", "u8": "|u1", "u16": "<u2",
          "u32": "<u4", "u64": "<u8", "boolean": "|b1", "bf16": "<f4", "f8e4m3fn": "<f4", "f8e4m3fnuz": "<f4", "f8e5m2": "<f4",
          "f8e5m2fnuz": "<f4", "f4e2m1": "<f4", "i4": "|i1", "u4": "|u1"}


class Values(program.Case):
    def run_model(self, model, arrays, *more):
        """The outputs as (shape, values, code) and the JSON."""
        out = self.path("out.npz")
        r = self.ok("run", model, "--inputs", self.write("in.npz", onnx.npz(arrays)), "--outputs", out, "--json", *more)
        return onnx.read_npz_types(out), r.json

    def test_every_dtype_out_and_in(self):
        for dtype, code in STORED.items():
            number = onnx.DTYPES[dtype]
            with self.subTest(dtype):
                cast = self.write("cast.onnx", onnx.model([onnx.node("Cast", ["x"], ["y"], to=number)], [onnx.value("x", [3])],
                                                          [onnx.value("y", [3], number)], opset=23))
                got, described = self.run_model(cast, {"x": onnx.npy((3,), [1, 2, 0])})
                self.assertEqual(got["y"], ((3,), [1, 1, 0] if dtype == "boolean" else [1, 2, 0], code))
                self.assertEqual(described["outputs"], [{"name": "y", "dtype": dtype, "shape": [3]}])
                # What was written is read back where a model takes that dtype.
                same = self.write("same.onnx", onnx.model([onnx.node("Identity", ["y"], ["z"])], [onnx.value("y", [3], number)],
                                                          [onnx.value("z", [3], number)], opset=23))
                again, _ = self.run_model(same, {"y": onnx.npy(*got["y"])})
                self.assertEqual(again["z"], got["y"])
                self.ok("bench", same, "--seconds", "0", "--warmup", "0")

    def test_integers_that_do_not_fit(self):
        model = self.write("m.onnx", onnx.model([onnx.node("Identity", ["x"], ["y"])], [onnx.value("x", [2], onnx.DTYPES["i4"])],
                                                [onnx.value("y", [2], onnx.DTYPES["i4"])], opset=23))
        npz = self.write("x.npz", onnx.npz({"x": onnx.npy((2,), [7, 8], "|i1")}))
        self.refused("run", model, "--inputs", npz, says=("'x'", "element 1", "8"))

    def test_sequences(self):
        split = self.write("split.onnx", onnx.model([onnx.node("SplitToSequence", ["x"], ["seq"], axis=0)], [onnx.value("x", [3, 2])],
                                                    [onnx.value("seq", None, kind="sequence")]))
        got, described = self.run_model(split, {"x": onnx.npy((3, 2), range(6))})
        self.assertEqual(list(got), ["seq.0", "seq.1", "seq.2"])
        self.assertEqual(got["seq.2"], ((1, 2), [4, 5], "<f4"))
        self.assertEqual([o["name"] for o in described["outputs"]], list(got))
        join = self.write("join.onnx", onnx.model([onnx.node("ConcatFromSequence", ["seq"], ["y"], axis=0)],
                                                  [onnx.value("seq", None, kind="sequence")], [onnx.value("y", None)]))
        items = {name: onnx.npy(*array) for name, array in got.items()}
        self.assertEqual(self.run_model(join, items)[0]["y"], ((3, 2), list(range(6)), "<f4"))
        by_position = {name.replace("seq", "in_0"): data for name, data in items.items()}
        self.assertEqual(self.run_model(join, by_position)[0]["y"][1], list(range(6)))
        gap = self.write("gap.npz", onnx.npz({"seq.0": items["seq.0"], "seq.2": items["seq.2"]}))
        self.refused("run", join, "--inputs", gap, says="item 1")

    def test_optionals(self):
        for given in (False, True):
            make = onnx.node("Optional", ["x"], ["o"]) if given else onnx.node("Optional", [], ["o"], type=onnx.TypeOf([2]))
            model = self.write("o.onnx", onnx.model([make, onnx.node("Relu", ["x"], ["y"])], [onnx.value("x", [2])],
                                                    [onnx.value("o", [2], kind="optional"), onnx.value("y", [2])]))
            got, described = self.run_model(model, {"x": onnx.npy((2,), [1, -1])})
            self.assertEqual(list(got), ["o", "y"] if given else ["y"])
            self.assertEqual([o["name"] for o in described["outputs"]], list(got))

    def test_strings(self):
        string = onnx.DTYPES["string"]
        model = self.write("s.onnx", onnx.model([onnx.node("Identity", ["x"], ["y"])], [onnx.value("x", ["N"], string)],
                                                [onnx.value("y", ["N"], string)]))
        words = ["a", "b\u00e9\u00e9", "", "\u65e5\u672c\u8a9e\U0001f600"]
        got, described = self.run_model(model, {"x": onnx.npy((4,), words, "<U4")})
        self.assertEqual(got["y"], ((4,), words, "<U4"))
        self.assertEqual(described["outputs"][0]["dtype"], "string")
        self.refused("bench", model, says="'x'")

    def test_names_and_order(self):
        names = ["z/out:0", "a b", "../up", "m"]
        ops = ["Relu", "Neg", "Abs", "Exp"]
        model = self.write("n.onnx", onnx.model([onnx.node(op, ["x/a:0"], [n]) for op, n in zip(ops, names)], [onnx.value("x/a:0", [2])],
                                                [onnx.value(n, [2]) for n in names]))
        got, _ = self.run_model(model, {"x/a:0": onnx.npy((2,), [1, -1])})
        self.assertEqual(list(got), names)
        self.assertEqual(got["a b"][1], [-1, 1])
        os.mkdir(self.path("a=b"))
        x = self.write("a=b/x.npy", onnx.npy((2,), [1, -1]))
        self.ok("run", model, "--input", f"x/a:0={x}")

    def test_inputs_and_constants_as_outputs(self):
        model = self.write("m.onnx", onnx.model([onnx.node("Relu", ["x"], ["y"])], [onnx.value("x", [2])],
                                                [onnx.value(n, [2]) for n in ("x", "y", "c")], [onnx.tensor("c", (2,), [5, 6])]))
        for of in (model, self.path("m.mote"), self.path("again.onnx"), self.path("m.ir")):
            if of != model:
                self.ok("convert", model, "-o", of)
            got, _ = self.run_model(of, {"x": onnx.npy((2,), [1, -1])})
            self.assertEqual({n: v[1] for n, v in got.items()}, {"x": [1, -1], "y": [1, 0], "c": [5, 6]})
            self.assertEqual(list(got), ["x", "y", "c"])

    def test_scalars_and_empty_arrays(self):
        for shape, values in (((), [3]), ((0, 3), [])):
            model = self.write("m.onnx", onnx.model([onnx.node("Neg", ["x"], ["y"])], [onnx.value("x", list(shape))],
                                                    [onnx.value("y", list(shape))]))
            got, described = self.run_model(model, {"x": onnx.npy(shape, values)})
            self.assertEqual(got["y"], (shape, [-v for v in values], "<f4"))
            self.assertEqual(described["outputs"][0]["shape"], list(shape))


if __name__ == "__main__":
    program.main()
