"""Preprocessing inside of models: the answers of mote convert --with-preprocessing are those of the program's own."""
import unittest

import onnx_files as onnx
from media_files import MediaCase, noise, wav
from program import DIGITS, png


class Preprocessing(MediaCase):
    def same(self, model, given, settings, within, convert=()):
        """The answer of a model with preprocessing inside is that of the program's own."""
        kind = given[0]
        want = self.outputs(model, *given, *settings)["y"]
        for name in ("with.mote", "with.onnx"):
            self.ok("convert", model, "-o", self.path(name), "--with-preprocessing", *settings, *convert)
            got = self.outputs(self.path(name), *given)["y"]
            self.assertEqual(tuple(got[0]), tuple(want[0]), (kind, settings))
            worst = max(abs(a - b) for a, b in zip(got[1], want[1]))
            self.assertLessEqual(worst, within, (name, settings))

    def test_images_inside_of_models(self):
        picture = self.scene()
        level = 1 / 255 / 0.2
        nchw, nhwc = self.identity([1, 3, 12, 12]), self.identity(["N", 12, 12, 3], "l.onnx")
        norm = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]
        for settings in (["--resize", "16", "--crop", "12"], ["--resize", "12x12", "--filter", "bicubic"], ["--letterbox"],
                         ["--letterbox", "--fill", "1,2,3", "--filter", "nearest"], [], ["--resize", "20x20", "--crop", "12", "--crop-at", "bottom-right"],
                         ["--central", "0.5"], ["--resize", "14", "--crop", "12", "--crop-at", "top-right", "--bgr"]):
            for size in ([], ["--image-size", "37x23"]):
                self.same(nchw, ["--image", picture], settings + norm, 1.01 * level, size)
        self.same(nhwc, ["--image", picture], ["--resize", "16", "--crop", "12"] + norm, 1.01 * level)
        self.same(nchw, ["--image", picture], ["--crop", "12"] + norm, 1e-5, ["--image-size", "37x23"])
        self.same(nchw, ["--image", picture], ["--crop", "12", "--scale", "1"], 0, ["--image-size", "37x23"])
        r = self.ok("inspect", self.path("with.onnx"), "--json").json
        self.assertEqual((r["inputs"][0]["dtype"], [str(d) for d in r["inputs"][0]["shape"]]), ("u8", ["1", "23", "37", "3"]))
        self.refused("convert", nchw, "-o", self.path("x.mote"), "--with-preprocessing", "--crop", "12", says="--image-size")
        self.refused("convert", nchw, "-o", self.path("x.mote"), "--crop", "12", says="--with-preprocessing")

    def test_a_classifier_with_its_preprocessing(self):
        for name in ("digits.mote", "digits.onnx"):
            self.ok("convert", DIGITS, "-o", self.path(name), "--with-preprocessing")
            r = self.ok("run", self.path(name), "--image", *[png(d) for d in range(10)], "--json").json
            self.assertEqual([i["top"][0]["label"] for i in r["images"]], [str(d) for d in range(10)])

    def test_quantized_inputs_inside_of_models(self):
        number = onnx.DTYPES["i8"]
        model = self.write("q.onnx", onnx.model([onnx.node("DequantizeLinear", ["x", "s", "z"], ["y"])], [onnx.value("x", [1, 12, 12, 3], number)],
                                                [onnx.value("y", [1, 12, 12, 3])], [onnx.tensor("s", (), [0.02]), onnx.tensor("z", (), [3], number)]))
        self.same(model, ["--image", self.scene(12, 12)], ["--mean", "0.5", "--std", "0.5"], 0)

    def test_features_inside_of_models(self):
        sound = self.write("s.wav", wav([0.3 * v for v in noise(3000)]))
        shape = ["--frame", "400", "--hop", "160", "--fft", "512", "--mels", "20", "--rate", "16000"]
        self.same(self.identity([1, 20, 12]), ["--audio", sound], ["--features", "logmel", *shape], 1e-3)
        self.same(self.identity([1, 12, 20, 1]), ["--audio", sound], ["--features", "logmel", "--log", "ln", "--pad", "reflect", *shape], 1e-3)
        self.same(self.identity([1, 13, 30]), ["--audio", sound], ["--features", "mfcc", "--mfcc", "13", "--mean", "2", "--std", "3", *shape], 1e-3)
        self.same(self.identity([1, 20, "T"]), ["--audio", sound], ["--features", "mel", "--pad", "none", "--power", "1", *shape], 1e-2)
        self.refused("convert", self.identity([1, 20, 12]), "-o", self.path("x.mote"), "--with-preprocessing", "--features", "mel", "--mels", "20",
                     says="--rate")


if __name__ == "__main__":
    unittest.main()
