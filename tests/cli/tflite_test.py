"""TensorFlow Lite models, the seeds of their fuzzer: what they give, and what is refused."""
import os
import shutil

import onnx_files as onnx
import program
from program import ROOT

# Runs unittest.main() through program.main().


def seed(name):
    return os.path.join(ROOT, "fuzz/corpus/tflite", name + ".tflite")


class TensorFlowLite(program.Case):
    def run_model(self, model, *options, **inputs):
        arrays = {name: onnx.npy(*array) for name, array in inputs.items()}
        out = self.path("out.npz")
        self.ok("run", model, "--inputs", self.write("in.npz", onnx.npz(arrays)), "--outputs", out, *options)
        return {name: list(values) for name, (_, values) in onnx.read_npz(out).items()}

    def test_variables_begin_as_the_model_says_and_last(self):
        x = ((2,), [10, 20])
        self.assertEqual(self.run_model(seed("variables"), t0=x)["t3"], [11, 22])
        self.assertEqual(self.run_model(seed("variables"), "--steps", "3", t0=x)["t3"], [31, 62])

    def test_signatures_share_variables(self):
        prepared = self.path("signatures.mote")
        self.ok("convert", seed("signatures"), "-o", prepared)
        step, x = ((2,), [10, 20]), ((2,), [3, 4])
        for model in (seed("signatures"), prepared):
            infer = lambda *before, **arrays: self.run_model(  # noqa: E731
                model, "--signature", "infer", *(part for name in before for part in ("--before", name)), x=x, **arrays)["y"]
            self.assertEqual(infer(), [3, 8])
            self.assertEqual(infer("train", step=step), [33, 88])
            self.assertEqual(infer("infer", "train", "train", step=step), [63, 168])
            self.assertEqual(infer("train", "reset", step=step), [3, 8])
            self.assertEqual(infer("train", "reset", "train", step=step), [33, 88])
            self.assertEqual(self.run_model(model, "--steps", "2", "--before", "infer", "--signature", "train", x=x, step=step)["now"], [21, 42])
        r = self.mote("run", prepared, "--signature", "reset", "--before", "nothing")
        self.assertEqual(r.code, 2)
        self.assertIn("no signature 'nothing'", r.err)
        r = self.mote("run", prepared, "--signature", "reset", "--before", "train")
        self.assertEqual(r.code, 2)
        self.assertIn("signature 'train'", r.err)
        self.assertIn("'step'", r.err)

    def test_branches(self):
        x = ((2,), [-1, 2])
        self.assertEqual(self.run_model(seed("branches"), t0=((), [1], "|b1"), t1=x)["t2"], [0, 2])
        self.assertAlmostEqual(self.run_model(seed("branches"), t0=((), [0], "|b1"), t1=x)["t2"][1], 0.9640276, 6)

    def test_an_lstm_of_16_bits_answers_as_the_micro_runtime(self):
        x = ((1, 3, 2), [12000, -7000, 30000, 5, -32768, 32767], "<i2")
        for steps, y in ((1, [7473, -2406, 14686, -1684, -7891, -10784]), (3, [3793, -1545, 14340, -1295, -8142, -9356])):
            self.assertEqual(self.run_model(seed("wide_lstm"), "--steps", str(steps), t0=x)["t15"], y)

    def test_sparse_weights(self):
        self.assertEqual(self.run_model(seed("sparse"), t0=((1, 2), [1, 2]))["t2"], [10, 6])

    def test_tables(self):
        self.assertEqual(self.run_model(seed("tables"), t0=((3,), ["bb", "a", "?"], "<U2"))["t3"], [6, 5, -1])

    def test_streams_are_framed_added_delayed_and_stacked(self):
        x = ((4,), [1, 2, 3, 20000], "<i2")
        steps = [self.run_model(seed("frames"), "--steps", str(k), t0=x) for k in (1, 2, 3)]
        self.assertEqual([bool(s["t2"][0]) for s in steps], [False, True, True])
        self.assertEqual(steps[0]["t1"], [0] * 10)
        self.assertEqual(steps[1]["t1"], [1, 2, 3, 20000, 1] + [3, 20000, 1, 2, 3])
        self.assertEqual([s["t3"] for s in steps], [[0, 0, 0, 1], [2, 3, 20000, 1], [2, 3, 20000, 1]])
        self.assertEqual([s["t4"] for s in steps[:2]], [[0, 0, 1, 2, 1, 2, 3, 20000], [3, 20000, 1, 2, 1, 2, 3, 20000]])
        self.assertTrue(all(s["t5"][0] for s in steps))
        # The first frame of 4 adds to the last sum's second half; 16 bits saturate.
        self.assertEqual([s["t6"] for s in steps], [[0, 0, 2, 4], [6, 32767, 2, 4], [6, 32767, 2, 4]])
        self.assertEqual([bool(s["t8"][0]) for s in steps], [False, True, False])
        self.assertEqual([s["t7"] for s in steps], [[0] * 12, [1, 2, 3, 20000] * 3, [0] * 12])

    def test_signatures_and_metadata(self):
        info = self.ok("inspect", seed("metadata"), "--json").json
        self.assertEqual([p["name"] for p in info["inputs"] + info["outputs"]], ["in", "out"])
        about = dict(info["metadata"])
        self.assertEqual(about["mote.labels"], "one\ntwo\n")
        self.assertEqual((about["mote.image.mean"], about["mote.image.std"]), ("0.5", "0.5"))
        self.assertEqual((about["mote.image.layout"], about["mote.image.channels"]), ("nhwc", "rgb"))
        self.assertEqual(about["tflite.min_runtime_version"], "1.5.0")

    def test_compressed_labels(self):
        about = dict(self.ok("inspect", seed("compressed_labels"), "--json").json["metadata"])
        self.assertEqual(about["mote.labels"], "".join(f"class {i}\n" for i in range(60)))
        with open(seed("compressed_labels"), "rb") as f:
            model = f.read()
        entry, local = model.rindex(b"PK\1\2"), model.rindex(b"PK\3\4")
        data = local + 30 + len("labels.txt")
        for at, byte, says in ((entry + 10, 12, "method 12"), (data, 0xff, "damaged"), (entry + 24, 1, "damaged"), (entry + 20, 1, "damaged")):
            r = self.ok("inspect", self.write("changed.tflite", model[:at] + bytes([byte]) + model[at + 1:]), "--json")
            self.assertNotIn("mote.labels", dict(r.json["metadata"]))
            self.assertIn(says, r.err)

    def test_prepared(self):
        prepared = self.path("svdf.mote")
        self.ok("convert", seed("svdf"), "-o", prepared)
        x = ((1, 2), [1, 2])
        self.assertEqual(self.run_model(prepared, "--steps", "2", t0=x), self.run_model(seed("svdf"), "--steps", "2", t0=x))

    def test_external_weights_stand_beside_the_model(self):
        shutil.copy(seed("external"), self.path("m.tflite"))
        r = self.mote("inspect", self.path("m.tflite"))
        self.assertEqual(r.code, 2)
        self.assertIn("weights.bin", r.err)
        self.write("weights.bin", bytes(12))
        self.assertIn("the data file is cut off", self.mote("inspect", self.path("m.tflite")).err)
        self.write("weights.bin", bytes(16))
        self.ok("inspect", self.path("m.tflite"))

    def test_refusals(self):
        r = self.mote("convert", seed("svdf"), "-o", self.path("m.tflite"))
        self.assertEqual(r.code, 2)
        self.assertIn("are read, not written", r.err)
        with open(seed("conv"), "rb") as f:
            broken = self.write("broken.tflite", f.read()[:-40])
        r = self.mote("run", broken)
        self.assertEqual(r.code, 2)
        self.assertIn("flatbuffer is damaged", r.err)


if __name__ == "__main__":
    program.main()
