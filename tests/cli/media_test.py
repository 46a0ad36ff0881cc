"""What the program does with pictures and sounds: letterboxes, boxes and maps drawn, WAV files, energy."""
import math
import os
import unittest

import onnx_files as onnx
from media_files import MediaCase, noise, ppm, read_ppm, wav
from program import DIGITS, png

MICRO = os.path.join(os.environ.get("MOTE_TEST_DATA", ""), "models/tflite-micro")


class Media(MediaCase):
    def test_letterbox(self):
        picture = self.write("two.ppm", ppm(2, 1, [10, 20, 30] * 2))
        y = self.outputs(self.identity([1, 3, 4, 4]), "--image", picture, "--scale", "1", "--letterbox")["y"][1]
        self.assertEqual(y[:16], [114] * 4 + [10] * 8 + [114] * 4)
        y = self.outputs(self.identity([1, 3, 4, 4]), "--image", picture, "--scale", "1", "--letterbox", "4", "--fill", "1,2,3")["y"][1]
        self.assertEqual(y[16:32], [2] * 4 + [20] * 8 + [2] * 4)
        self.refused("run", self.identity([1, 3, 4, 4]), "--image", picture, "--letterbox", "4", "--crop", "2", says="letterbox")
        self.refused("run", self.identity([1, 3, 4, 4]), "--image", picture, "--letterbox", "huge", says="letterbox")

    def detector(self, metadata=None):
        """Outputs of TFLite_Detection_PostProcess, the same for every picture of 20 x 20."""
        zero = [onnx.node("ReduceMax", ["x"], ["top"], keepdims=0), onnx.node("Mul", ["top", "none"], ["zero"])]
        named = {"boxes": ((1, 2, 4), [0.25, 0.25, 0.75, 0.5, 0.3, 0.0, 0.5, 1.0]), "classes": ((1, 2), [1, 0]), "scores": ((1, 2), [0.9, 0.4]),
                 "count": ((1,), [2])}
        nodes = zero + [onnx.node("Add", ["c_" + k, "zero"], [k]) for k in named]
        constants = [onnx.tensor("none", (), [0])] + [onnx.tensor("c_" + k, *v) for k, v in named.items()]
        return self.write("d.onnx", onnx.model(nodes, [onnx.value("x", [1, 3, 20, 20])], [onnx.value(k, list(v[0])) for k, v in named.items()], constants,
                                               metadata=metadata))

    def test_boxes_are_found_and_drawn(self):
        model = self.detector({"mote.labels": "cat\ndog\n"})
        picture = self.write("p.ppm", ppm(80, 40, [9] * 80 * 40 * 3))
        out = self.path("out.ppm")
        r = self.ok("run", model, "--image", picture, "--letterbox", "--draw", out, "--json").json["images"][0]
        # 80 x 40 in 20 x 20: a quarter of the size, 5 down.
        self.assertEqual([(b["label"], b["box"]) for b in r["boxes"]], [("dog", [20, 0, 40, 40])])
        self.assertAlmostEqual(r["boxes"][0]["score"], 0.9, 6)
        pixel = read_ppm(out)
        self.assertEqual(pixel(39, 39), (0, 128, 0))
        self.assertEqual(pixel(30, 30), (9, 9, 9))
        self.assertEqual(pixel(60, 20), (9, 9, 9))
        text = self.ok("run", model, "--image", picture, "--threshold", "0.3").out
        self.assertRegex(text, r"90\.00 %  dog")
        self.assertRegex(text, r"40\.00 %  cat")
        self.ok("run", model, "--image", picture, "--draw", self.path("out.png"))
        with open(self.path("out.png"), "rb") as f:
            self.assertEqual(f.read(8), b"\x89PNG\r\n\x1a\n")
        self.refused("run", model, "--image", picture, "--draw", self.path("out.gif"), says="png")
        self.refused("run", model, "--image", picture, picture, "--draw", out, says="one --image")
        self.refused("run", model, "--image", picture, "--detect", "nothing", says="tflite")
        self.refused("run", model, "--image", picture, "--detect", "yolo8", says="outputs are")

    def test_maps_are_shared_out_and_drawn(self):
        model = self.identity([1, 3, 2, 4])
        picture = self.write("p.ppm", ppm(4, 2, [200, 0, 0] * 4 + [0, 9, 0] * 2 + [0, 0, 7] * 2))
        out = self.path("out.ppm")
        r = self.ok("run", model, "--image", picture, "--draw", out, "--alpha", "1", "--json").json["images"][0]
        self.assertEqual([(c["index"], c["share"]) for c in r["classes"]], [(0, 0.5), (1, 0.25), (2, 0.25)])
        self.assertEqual(r["mask"], {"width": 4, "height": 2, "runs": [[0, 4], [1, 2], [2, 2]]})
        pixel = read_ppm(out)
        self.assertEqual([pixel(0, 0), pixel(0, 1), pixel(3, 1)], [(200, 0, 0), (128, 0, 0), (0, 128, 0)])
        self.refused("run", DIGITS, "--image", png(3), "--segment", says="map of classes")

    def test_classes_are_drawn(self):
        self.ok("run", DIGITS, "--image", png(3), "--draw", self.path("out.ppm"))
        self.assertEqual(read_ppm(self.path("out.ppm"))(0, 0), (0, 0, 0))

    def test_sounds(self):
        model = self.identity([1, "T"])
        sound = self.write("s.wav", wav([0, 0.5, -0.5, 0.25]))
        r = self.ok("run", model, "--audio", sound, "--outputs", self.path("o.npz"))
        self.assertIn("16000 Hz", r.err)
        shape, values = onnx.read_npz(self.path("o.npz"))["y"]
        self.assertEqual(tuple(shape), (1, 4))
        for got, want in zip(values, [0, 0.5, -0.5, 0.25]):
            self.assertAlmostEqual(got, want, 4)
        long = self.write("long.wav", wav(noise(1600)))
        features = ["--features", "logmel", "--rate", "16000", "--frame", "25ms", "--hop", "10ms", "--fft", "512", "--mels", "20"]
        self.assertEqual(tuple(self.outputs(self.identity([1, 20, "T"]), "--audio", long, *features)["y"][0]), (1, 20, 11))
        self.assertEqual(tuple(self.outputs(self.identity([1, 7, 20, 1]), "--audio", long, *features)["y"][0]), (1, 7, 20, 1))
        r = self.ok("run", self.identity([1, 5]), "--audio", sound, "--json")
        self.assertEqual(r.json["audio"][0]["top"][0]["index"], 1)
        self.assertIn("silence", r.err)
        stated = self.identity([1, 10, "T"], metadata={"mote.audio.features": "mfcc", "mote.audio.rate": "8000", "mote.audio.frame": "32ms",
                                                      "mote.audio.mels": "20", "mote.audio.mfcc": "10"})
        self.assertEqual(self.outputs(stated, "--audio", long)["y"][0][1], 10)

    def test_micro_features(self):
        """Held to what the operators of TensorFlow Lite Micro's preprocessor give, as imported."""
        sound = self.write("s.wav", wav(noise(1600)))
        shape, values = self.outputs(self.identity([1, "T", 40]), "--audio", sound, "--features", "micro")["y"]
        self.assertEqual(tuple(shape), (1, 4, 40))
        raw = [v * 25.6 for v in values]
        self.assertEqual([round(v) for v in raw], [round(v, 3) for v in raw])
        self.assertEqual([round(v) for v in raw[:8]], [657, 600, 660, 602, 660, 605, 660, 604])
        self.assertEqual([round(v) for v in raw[120:]],
                         [554, 453, 538, 498, 575, 518, 581, 507, 567, 470, 513, 448, 571, 524, 579, 474, 558, 502, 588, 496,
                          573, 505, 544, 472, 587, 542, 579, 517, 586, 517, 566, 523, 590, 486, 564, 517, 582, 526, 572, 496])
        short = self.outputs(self.identity([1, 3, 20]), "--audio", sound, "--features", "micro", "--rate", "8000", "--mels", "20", "--fmax", "3800")
        self.assertEqual(tuple(short["y"][0]), (1, 3, 20))
        self.refused("run", self.identity([1, "T", 40]), "--audio", sound, "--features", "micro", "--window", "hann", says="window")
        self.refused("run", self.identity([1, "T", 40]), "--audio", sound, "--features", "micro", "--fft", "500", says="FFT of 500")
        self.refused("run", self.identity([1, "T", 40]), "--audio", sound, "--features", "micro", "--rate", "8000", says="fmax 7500")
        self.refused("convert", self.identity([1, 49, 40]), "-o", self.path("c.mote"), "--with-preprocessing", "--features", "micro", "--mean", "1", says="mean")

    def test_micro_features_in_the_model(self):
        """The same bits as outside of it: a loop over the frames."""
        sound = self.write("s.wav", wav(noise(2000)))
        other = self.write("t.wav", wav(noise(700), rate=8000))
        for shape, file, options in (([1, "T", 40], sound, []), ([1, 5, 40], sound, []), ([1, 40, "T"], sound, []), ([1, 5 * 40], sound, []), ([1, 3, 20, 1], other, ["--rate", "8000", "--mels", "20", "--fmax", "3800"])):
            model, inside = self.identity(shape), self.path("inside.mote")
            self.ok("convert", model, "-o", inside, "--with-preprocessing", "--features", "micro", *options)
            wanted = self.outputs(model, "--audio", file, "--features", "micro", *options)
            self.assertEqual(self.outputs(inside, "--audio", file), wanted, shape)
        self.refused("convert", self.identity([1, 5, 40]), "-o", self.path("c.onnx"), "--with-preprocessing", "--features", "micro", says="signal_window")

    @unittest.skipUnless(os.path.isdir(MICRO), "MOTE_TEST_DATA has no models of TensorFlow Lite Micro")
    def test_spoken_words(self):
        sounds = [os.path.join(MICRO, f"micro_speech_wav/{word}_1000ms.wav") for word in ("silence", "noise", "yes", "no")]
        r = self.ok("run", os.path.join(MICRO, "micro_speech_quantized.tflite"), "--audio", *sounds, "--features", "micro", "--json")
        self.assertEqual([a["top"][0]["index"] for a in r.json["audio"]], [0, 0, 2, 3])
        inside = self.path("speech.mote")
        self.ok("convert", os.path.join(MICRO, "micro_speech_quantized.tflite"), "-o", inside, "--with-preprocessing", "--features", "micro")
        same = self.ok("run", inside, "--audio", *sounds, "--json")
        self.assertEqual([a["top"] for a in same.json["audio"]], [a["top"] for a in r.json["audio"]])

    def test_sounds_that_are_none(self):
        model = self.identity([1, "T"])
        whole = wav(noise(100))
        self.refused("run", model, "--audio", self.write("cut.wav", whole[:-10]), says="cut.wav")
        self.refused("run", model, "--audio", self.write("text.wav", "hello"), says="not a WAV")
        self.refused("run", model, "--audio", self.path("none.wav"), says="none.wav")
        sound = self.write("s.wav", whole)
        self.refused("run", model, "--audio", sound, "--features", "melody", says="features")
        self.refused("run", model, "--audio", sound, "--draw", self.path("x.png"), says="--draw")
        self.refused("run", model, "--audio", sound, "--image", png(1), says="one input")
        self.refused("run", self.identity([1, 7, 9]), "--audio", sound, "--features", "mel", "--mels", "20", says="no place")

    def test_power_is_read_or_said_to_be_absent(self):
        r = self.ok("bench", DIGITS, "--dim", "N=1", "--seconds", "0.05", "--warmup", "0", "--json").json
        self.assertEqual(r["watts"] is None, r["mj_per_run"] is None)
        if r["watts"] is None:
            self.assertIn("no reading", r["power"])
        else:
            self.assertGreater(r["watts"], 0)
            self.assertTrue(math.isfinite(r["mj_per_run"]))


if __name__ == "__main__":
    unittest.main()
