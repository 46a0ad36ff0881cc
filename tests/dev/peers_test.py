"""./dev bench peers, growth and start without their packages: the order of cells, resuming, ratios, tables, plots, and the comparison with an
earlier run."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "peers"))
sys.dont_write_bytecode = True
import against
import growth
import machine
import networks
import peers
import plots
import report
import schedule
import start

ABOUT = {"mote": {"version": "mote 1", "files": {"f32": "onnx", "int8": "int8"}, "ranked": True},
         "fast": {"version": "fast 2", "files": {"f32": "onnx"}, "ranked": True, "lacks": {"int8": "no integers"}},
         "own": {"version": "own 3", "files": {"f32": "own", "int8": "own_int8"}, "ranked": True, "threads": [1]},
         "free": {"version": "free 4", "files": {"f32": "onnx"}, "ranked": False}}
NETWORKS = [("a", "1"), ("b", "2")]


def result(ms, added=10.0, **more):
    return {"load_ms": 3.0, "prepare_ms": 1.0, "first_ms": ms, "min_ms": ms * 0.9, "p50_ms": ms, "peak_rss_mb": 50.0 + added, "base_rss_mb": 50.0, **more}


def cell(engine, model, ms, number=0, precision="f32", threads=1, **more):
    outcome = {"failed": ms} if isinstance(ms, str) else result(ms, more.pop("added", 10.0), **more.pop("result", {}))
    return {"engine": engine, "version": ABOUT[engine]["version"], "model": model, "digest": "1", "threads": threads, "precision": precision,
            "round": number, **more, "result": outcome}


def document(cells):
    return {"date": "2026-01-01", "machine": {"cpu": "A CPU", "cores": 2, "memory_gib": 8, "isa": ["AVX2"], "system": "Linux x86_64"},
            "engines": ABOUT, "settings": {"seconds": 0.5, "warmup": 0.2}, "cells": cells}


class Schedule(unittest.TestCase):
    def groups(self, **changes):
        return list(schedule.groups(**{"networks": NETWORKS, "engines": ABOUT, "threads": [1, 2], "precisions": ["f32", "int8"], "rounds": 2, **changes}))

    def test_rounds_come_first_and_groups_hold_together(self):
        found = self.groups()
        self.assertEqual([g[0]["round"] for g in found], sorted(g[0]["round"] for g in found))
        for group in found:
            self.assertEqual(len({schedule.group_of(c) for c in group}), 1)
        self.assertEqual(len(found), 2 * 2 * 2 * 2)

    def test_engines_take_turns(self):
        first = {g[0]["engine"] for g in self.groups(rounds=4, threads=[1], precisions=["f32"])}
        self.assertEqual(first, set(ABOUT))

    def test_an_engine_is_asked_for_what_it_can_do_only(self):
        for group in self.groups():
            names = {c["engine"] for c in group}
            self.assertEqual("fast" in names, group[0]["precision"] == "f32")
            self.assertEqual("own" in names, group[0]["threads"] == 1)

    def test_what_was_interrupted_is_continued_by_whole_groups(self):
        wanted = self.groups(threads=[1], precisions=["f32"])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "deep" / "state.jsonl"
            state = schedule.State(path)
            self.assertEqual(state.missing(wanted), wanted)
            for one in [*wanted[0], *wanted[1][:2]]:
                state.add(one, result(1.0))
            with open(path, "a") as file:
                file.write('{"engine": "mote", "cut')
            again = schedule.State(path)
            self.assertEqual(len(again.cells), len(wanted[0]) + 2)
            self.assertEqual(again.missing(wanted), wanted[1:])
            again.drop(wanted[1])
            self.assertEqual(len(schedule.State(path).cells), len(wanted[0]))

    def test_another_version_of_an_engine_is_measured_with_its_group(self):
        wanted = self.groups(rounds=1)
        with tempfile.TemporaryDirectory() as folder:
            state = schedule.State(pathlib.Path(folder) / "state.jsonl")
            for group in wanted:
                for one in group:
                    state.add(one, result(1.0))
            self.assertEqual(state.missing(wanted), [])
            newer = self.groups(rounds=1, engines={**ABOUT, "fast": {**ABOUT["fast"], "version": "fast 3"}})
            self.assertEqual(state.missing(newer), [g for g in newer if any(c["engine"] == "fast" for c in g)])

    def test_what_failed_is_not_tried_in_later_rounds(self):
        first, _, later, _ = self.groups(threads=[1], precisions=["f32"])
        with tempfile.TemporaryDirectory() as folder:
            state = schedule.State(pathlib.Path(folder) / "state.jsonl")
            state.add(first[0], {"failed": "crashed"})
            same = next(c for c in later if c["engine"] == first[0]["engine"])
            self.assertEqual(state.failure(same), {"failed": "crashed"})
            self.assertIsNone(state.failure({**same, "version": "other"}))


class Run(unittest.TestCase):
    """The loop of peers.py with a pretended worker."""

    def measure(self, folder, worker, *arguments):
        args = peers.parse_arguments(["--models", "a", "--rounds", "2", *arguments])
        network = mock.Mock(digest="1", precisions=lambda p: p)
        network.name = "a"
        state = schedule.State(pathlib.Path(folder) / "state.jsonl")
        with mock.patch.object(peers, "fill_in", lambda c, *_: (c, None)), mock.patch.object(machine, "run_worker", worker), mock.patch("builtins.print"):
            return peers.measure(args, ABOUT, [network], state)

    def test_an_interrupted_run_is_resumed_and_a_whole_one_starts_anew(self):
        asked = []

        def worker(one, *_):
            asked.append((one["round"], one["engine"]))
            if len(asked) == 6:
                raise KeyboardInterrupt
            return result(1.0)

        with tempfile.TemporaryDirectory() as folder:
            cells, interrupted = self.measure(folder, worker)
            self.assertEqual((len(cells), interrupted), (5, True))
            cells, interrupted = self.measure(folder, worker)
            self.assertEqual((len(cells), interrupted), (8, False))
            self.assertEqual([r for r, _ in asked[6:]], [1] * 4)
            self.measure(folder, worker)
            self.assertEqual(len(asked), 10 + 8)

    def test_a_state_belongs_to_a_question(self):
        path = lambda *arguments: peers.state_path(peers.parse_arguments(list(arguments)))
        self.assertEqual(path("--precision", "f32"), path("--rounds", "9"))
        self.assertNotEqual(path(), path("--precision", "f32,int8"))


class Given(unittest.TestCase):
    """TensorFlow Lite files, raced as they are."""

    def test_files_are_named_or_lie_in_the_test_data(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "models" / networks.GIVEN["kws"]
            path.parent.mkdir(parents=True)
            path.write_bytes(b"TFL3")
            with mock.patch.dict(os.environ, {"MOTE_TEST_DATA": folder}):
                kws, same = networks.find(["kws", str(path)])
                self.assertEqual((kws.name, same.name, kws.digest), ("kws", path.stem, same.digest))
                with self.assertRaises(SystemExit):
                    networks.find(["vww"])
            self.assertEqual(kws.path("given"), path)
            self.assertEqual(kws.needs("given", "tflite"), ("given", "tflite_answer"))
            self.assertEqual(set(kws.cell("given")), {"file", "inputs", "golden"})

    def test_they_are_raced_as_they_are_by_engines_that_read_them(self):
        engines = {**ABOUT, "mote": {**ABOUT["mote"], "files": {**ABOUT["mote"]["files"], "tflite": "given"}}}
        args = peers.parse_arguments(["--models", "a", "--rounds", "2", "--precision", "f32,int8"])
        given, plain = mock.Mock(digest="1", precisions=lambda _: ["tflite"]), mock.Mock(digest="1", precisions=lambda p: p)
        given.name, plain.name = "a", "b"
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(peers, "fill_in", lambda c, *_: (c, None)), \
                mock.patch.object(machine, "run_worker", lambda *_: result(1.0)), mock.patch("builtins.print"):
            cells, _ = peers.measure(args, engines, [given, plain], schedule.State(pathlib.Path(folder) / "state.jsonl"))
        self.assertEqual({(c["engine"], c["precision"]) for c in cells if c["model"] == "a"}, {("mote", "tflite")})
        self.assertEqual({c["precision"] for c in cells if c["model"] == "b"}, {"f32", "int8"})
        self.assertEqual([c["round"] for c in cells], sorted(c["round"] for c in cells))

    def test_bits_that_differ_are_told(self):
        cells = [cell("mote", "a", 1.0, precision="tflite", result={"differ": 0, "steps": 0}),
                 cell("fast", "a", 2.0, precision="tflite", result={"differ": 3, "steps": 1})]
        text = report.markdown(document(cells))
        self.assertIn("## tflite, 1 thread", text)
        self.assertIn("| a | none | 3, up to 1 steps |", text)

    def test_mote_may_differ_in_no_bit(self):
        try:
            import numpy as np
        except ImportError:
            self.skipTest("numpy is not installed")
        import worker
        want, near = {"out_0": np.array([[100, -7]], np.int8)}, {"out_0": np.array([99, -7], np.int8)}
        apart = lambda answer, exactly: [worker.check_given(want, answer, exactly)[key] for key in ("differ", "steps")]
        self.assertEqual(apart(want, True), [0, 0])
        self.assertEqual(apart(near, False), [1, 1])
        with self.assertRaisesRegex(RuntimeError, "1 elements differ, by up to 1 steps"):
            worker.check_given(want, near, True)
        with self.assertRaisesRegex(RuntimeError, "cosine"):
            worker.check_given(want, {"out_0": np.array([7, 100], np.int8)}, False)


class Report(unittest.TestCase):
    CELLS = [cell("mote", "a", 4.0), cell("fast", "a", 5.0), cell("own", "a", 6.0), cell("free", "a", 1.0, result={"computed_in": "bf16"}),
             cell("mote", "a", 8.0, 1), cell("fast", "a", 8.0, 1), cell("own", "a", 9.0, 1), cell("free", "a", 1.0, 1, result={"computed_in": "bf16"}),
             cell("mote", "a", 6.0, 2), cell("fast", "a", 10.0, 2), cell("own", "a", 9.0, 2), cell("free", "a", 1.0, 2, result={"computed_in": "bf16"}),
             cell("mote", "b", 2.0), cell("fast", "b", "wrong answer: differs"), cell("own", "b", 1.0),
             cell("mote", "a", 3.0, precision="int8"), cell("own", "a", 1.0, precision="int8", own_file=True)]

    def test_ratios_are_taken_inside_rounds(self):
        models = report.summarize(self.CELLS)["f32", 1]
        self.assertEqual(models["a"]["mote"]["median"], 6.0)
        self.assertAlmostEqual(report.ratio(models["a"], "fast"), 0.8)
        self.assertAlmostEqual(models["a"]["mote"]["least"], 3.6)

    def test_what_answers_another_question_is_not_ranked(self):
        summary = report.summarize(self.CELLS)
        self.assertEqual(report.best_peer(summary["f32", 1]["a"], ABOUT), "fast")
        self.assertEqual(report.best_peer(summary["f32", 1]["b"], ABOUT), "own")
        self.assertIsNone(report.best_peer(summary["int8", 1]["a"], ABOUT))

    def test_the_table_says_what_was_found(self):
        text = report.markdown(document(self.CELLS))
        self.assertIn("| a | **6** | 8 | 9 | 1 (bf16) | fast | 0.80 |", text)
        self.assertIn("| b | 2 | fails | **1** | – | own | 2.00 |", text)
        self.assertIn("geometric mean **1.26** over 2 networks, largest 2.00 (b), 1 above 1", text)
        self.assertIn("- fast, f32, b: wrong answer: differs", text)
        self.assertIn("- fast, int8: no integers", text)
        self.assertIn("| a | **3** | 1° |", text)

    def test_plots_are_svg_and_hold_every_figure(self):
        captions, files = peers.draw(document(self.CELLS))
        self.assertEqual(len(files), 6)
        for svg in files.values():
            xml.fromstring(svg)
        self.assertIn("a, fast: 1.33", files["peers-f32-1-latency.svg"])
        self.assertIn(("memory", "peers-f32-1-memory.svg"), captions["f32", 1])
        with tempfile.TemporaryDirectory() as folder:
            peers.publish(pathlib.Path(folder), document(self.CELLS))
            self.assertEqual(json.loads((pathlib.Path(folder) / "peers.json").read_text()), document(self.CELLS))
            self.assertIn("peers-int8-1-load.svg", (pathlib.Path(folder) / "peers.md").read_text())

    def test_plots_of_nothing_and_of_one_value(self):
        self.assertIsNone(plots.dots("t", "ms", ["a"], {"x": {}}))
        xml.fromstring(plots.dots("<t>", "ms", ["a"], {"x": {"a": 1.0}}, 1.0))
        self.assertIsNone(plots.curves("t", "x", "y", {"a": []}))
        xml.fromstring(plots.curves("t", "x", "y", {"a": [(1, 2.0)], "b&": [(1, 3.0), (64, 9.0)]}))


class Against(unittest.TestCase):
    def verdicts(self, now, then):
        rows = against.compare(document(now), document(then))
        against.text(rows)
        return [row["verdict"] for row in rows], len(against.regressions(rows))

    def test_growth_beyond_noise_is_a_regression(self):
        steady = [cell("mote", "a", 1.0, n) for n in range(3)]
        self.assertEqual(self.verdicts(steady, steady), (["same"], 0))
        self.assertEqual(self.verdicts([cell("mote", "a", 1.04, n) for n in range(3)], steady), (["same"], 0))
        self.assertEqual(self.verdicts([cell("mote", "a", 1.1, n) for n in range(3)], steady), (["slower"], 1))
        self.assertEqual(self.verdicts([cell("mote", "a", 0.8, n) for n in range(3)], steady), (["faster"], 0))

    def test_noisy_rounds_need_more(self):
        noisy = [cell("mote", "a", ms, n) for n, ms in enumerate((1.0, 1.05, 1.2))]
        self.assertEqual(self.verdicts([cell("mote", "a", 1.15, n) for n in range(3)], noisy), (["same"], 0))

    def test_a_slower_machine_is_no_regression(self):
        then = [cell("mote", "a", 1.0), cell("fast", "a", 2.0)]
        self.assertEqual(self.verdicts([cell("mote", "a", 1.5), cell("fast", "a", 3.0)], then), (["same"], 0))
        self.assertEqual(self.verdicts([cell("mote", "a", 1.5), cell("fast", "a", 2.0)], then), (["slower"], 1))

    def test_memory_and_failures_count(self):
        then = [cell("mote", "a", 1.0)]
        self.assertEqual(self.verdicts([cell("mote", "a", 1.0, added=20.0)], then), (["more memory"], 1))
        verdicts, worse = self.verdicts([cell("mote", "a", "wrong answer")], then)
        self.assertEqual((verdicts[0][:5], worse), ("fails", 1))
        self.assertEqual(self.verdicts([cell("mote", "b", 1.0)], then), ([], 0))


class Growth(unittest.TestCase):
    ARGS = ["--batches", "1,4", "--lengths", "16,32", "--sessions", "1,2", "--rounds", "2", "--cpus", "0"]

    def document(self, answer):
        args = growth.parse_arguments(self.ARGS)
        found = {name: mock.Mock(onnx=name) for name in [*growth.BATCHED, *growth.SEQUENCES, *growth.CONCURRENT, *growth.SMALL]}
        with mock.patch.object(machine, "run_mote", answer), mock.patch("builtins.print"):
            points, failed = growth.measure(args, found)
        return {"date": "2026-01-01", "machine": document([])["machine"], "version": "mote 1", "rounds": 2, "cores": 1, "points": points, "failed": failed}

    def test_the_best_round_counts_and_growth_is_found(self):
        calls = []

        def answer(command, cpus):
            calls.append(command)
            slow = 3.0 if len(calls) == 1 else 1.0
            batch = 4 if any("=4," in word for word in command) else 1
            time = slow * (8.0 if "ds_cnn_batch" in command and batch == 4 else batch)
            return {"p50_ms": time, "runs_per_s": 10.0, "run_ms": 0.01, "steps": [{"ms": 0.006}, {"ms": 0.001}]}

        made = self.document(answer)
        self.assertEqual(growth.lines_of(made, "batch")["mobilenet_v2_dynamic"], [(1, 1.0), (4, 1.0)])
        found = {what: (good, text) for what, good, text in growth.verdicts(made)}
        self.assertTrue(found["batch, mlp"][0])
        self.assertFalse(found["batch, ds_cnn_batch"][0])
        self.assertIn("100%", found["batch, ds_cnn_batch"][1])
        self.assertFalse(found["small, mlp"][0])
        self.assertIn("3.00 us", found["small, mlp"][1])
        self.assertTrue(found["sessions, lstm"][0])

    def test_tables_plots_and_reasons(self):
        def answer(command, cpus):
            if "mlp" in command:
                raise RuntimeError("mote bench ended with code 2: broken")
            return {"p50_ms": 1.0, "runs_per_s": 10.0, "run_ms": 0.01, "steps": [{"ms": 0.009}]}

        made = self.document(answer)
        with tempfile.TemporaryDirectory() as folder:
            growth.publish(pathlib.Path(folder), made)
            text = (pathlib.Path(folder) / "growth.md").read_text()
            for kind in ("batch", "sequence", "sessions"):
                xml.parse(pathlib.Path(folder) / f"growth-{kind}.svg")
        self.assertIn("| lstm_bidirectional | 1 | 0.25 |", text)
        self.assertIn("- batch, mlp, 4: mote bench ended with code 2: broken", text)


class Start(unittest.TestCase):
    def test_medians_and_ratios(self):
        one = {"onnx_ms": 10.0, "ort_ms": 40.0, "saved_ms": 1.0, "process_ms": 2.0, "first_ms": 6.0, "steady_ms": 5.0, "peak_mb": 20.0, "bound_mb": 25.0,
               "second_mb": 3.0, "weights_mb": 9.0}
        row = start.summarize([one, {**one, "onnx_ms": 30.0}, {**one, "onnx_ms": 20.0}])
        self.assertEqual((row["onnx_ms"], row["by_ort"], row["peak_by_bound"]), (20.0, 0.5, 0.8))
        self.assertAlmostEqual(row["first_by_steady"], 1.2)
        alone = start.summarize([{k: v for k, v in one.items() if k != "ort_ms"}])
        made = {"date": "2026-01-01", "machine": document([])["machine"], "version": "mote 1", "rounds": 3, "networks": {"a": row, "b": alone}, "failed": {"c": "broken"}}
        with tempfile.TemporaryDirectory() as folder:
            start.publish(pathlib.Path(folder), made)
            text = (pathlib.Path(folder) / "start.md").read_text()
            xml.parse(pathlib.Path(folder) / "start.svg")
        self.assertIn("| a | 20 | 40 | 0.5 | 1 | 2 | 6 | 5 | 1.2 |", text)
        self.assertIn("| b | 10 | – | – | 1 |", text)
        self.assertIn("geometric mean **0.50** over 1 networks", text)
        self.assertIn("- c: broken", text)

    def test_the_bound_of_memory(self):
        self.assertAlmostEqual(start.bound_mb({"weight_bytes": 100e6, "arena_bytes": 7e6}), 132.0)


class Machine(unittest.TestCase):
    def test_a_pinned_process_runs_where_it_is_told_and_says_why_it_failed(self):
        cpu = min(os.sched_getaffinity(0))
        output, problem = machine.run_pinned([sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"], {cpu}, 60)
        self.assertEqual((output.strip(), problem), (f"{{{cpu}}}", None))
        self.assertEqual(machine.run_pinned([sys.executable, "-c", "raise SystemExit('broken')"], {cpu}, 60), (None, "ended with code 1: broken"))
        self.assertIn("signal 6", machine.run_pinned([sys.executable, "-c", "import os; os.abort()"], {cpu}, 60)[1])
        self.assertIn("not done", machine.run_pinned([sys.executable, "-c", "import time; time.sleep(9)"], {cpu}, 0.2)[1])

    def test_every_engine_of_the_list_has_a_module(self):
        there = {p.stem for p in (machine.HERE / "engines").glob("[!_]*.py")}
        self.assertEqual(there, set(peers.ENGINES))

    def test_wrong_arguments_are_refused_and_what_there_is_is_listed(self):
        command = [sys.executable, str(machine.HERE / "peers.py")]
        for wrong in (["--engines", "unknown"], ["--precision", "f31"], ["--threads", "4096"]):
            self.assertEqual(subprocess.run([*command, *wrong], capture_output=True).returncode, 2)
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run([*command, "--list"], capture_output=True, text=True, env={**os.environ, "MOTE_CACHE": cache})
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in (*networks.RACED, *peers.ENGINES):
            self.assertIn(name, done.stdout)


if __name__ == "__main__":
    unittest.main()
