"""./dev fuzz [TARGET...] [--seconds N] [--seed N] [--runs TARGET=N] [--sweep N]: runs fuzz_* of preset asan on their corpora, as many
at a time as there are cores. A target with --runs makes that many runs from its seeds alone, however long they take: with a --seed,
the same walk on a fast and a slow machine. --sweep changes every field of every plan that plans are fuzzed from, each in N ways.

What a fuzzer finds is kept in build/fuzz/TARGET/; a crash is to become a seed in fuzz/corpus/TARGET with its fix.
"""
import argparse
import base64
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import zlib

BIN = "build/asan/bin"
ENVIRONMENT = {"UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-16"}


def plan_seeds(folder):
    """Plans of the models in fuzz/models; they name this machine's kernels, so they are made where they are used."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run([f"{BIN}/plan_seeds", *sorted(glob.glob("fuzz/models/*.ir")), folder], check=True)


def fuzz(target, seconds, seed, runs, max_mb):
    """The target, where an input that fails is left, its exit code, how many inputs were tried, and what was printed."""
    work = f"build/fuzz/{target}"
    corpus = f"{work}/{'walk' if runs else 'corpus'}"
    if runs:
        shutil.rmtree(corpus, ignore_errors=True)
        seconds = 30 * max(seconds, 60)  # only against one that hangs
    os.makedirs(corpus, exist_ok=True)
    seeds = [d for d in (f"fuzz/corpus/{target}",) if os.path.isdir(d)]
    if target == "plan":
        plan_seeds(f"{work}/seeds")
        seeds.append(f"{work}/seeds")
    command = [f"{BIN}/fuzz_{target}", f"-max_total_time={seconds}", f"-seed={seed}", f"-rss_limit_mb={max_mb}", f"-malloc_limit_mb={max_mb}", "-timeout=20",
               "-print_final_stats=1", f"-artifact_prefix={work}/", *([f"-runs={runs}"] if runs else []), corpus, *seeds]
    for dictionary in glob.glob(f"fuzz/{target}.dict"):
        command.append(f"-dict={dictionary}")
    return target, f"{work}/*-*", *run(command, seconds + 600, f"{work}/log")


def run(command, seconds, log, **environment):
    """The exit code, how many inputs were tried, and what was printed."""
    env = {**os.environ, **ENVIRONMENT, "ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=1", **environment}
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=seconds)
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        code, output = -1, (e.stdout or b"").decode(errors="replace") + "\ndid not stop"
    with open(log, "w") as f:
        f.write(output)
    done = re.findall(r"stat::number_of_executed_units:\s*(\d+)|(\d+) changes", output)
    return code, sum(int(a or b) for a, b in done), output


def sweep(model, ways, part):
    """One model's plan: what fuzz() says of a target."""
    work = "build/fuzz/plan_sweep"
    name = os.path.basename(model).removesuffix(".ir.mote")
    last = f"{work}/{name}-{part}"
    code, done, output = run([f"{BIN}/plan_sweep", "--ways", str(ways), "--part", f"{part}/2", model], 3600, f"{last}.log",
                             MOTE_SWEEP_LAST=f"{last}.mote", ASAN_OPTIONS="allocator_may_return_null=1:detect_leaks=0")
    if code == 0:
        os.remove(f"{last}.mote")
    return f"plan_sweep {name} {part + 1}/2", f"{last}.mote", code, done, output


def packed(paths):
    """The latest of the files as text that a log can carry, and what turns it into the file again."""
    if not paths:
        return "no input was kept"
    path = max(paths, key=os.path.getmtime)
    with open(path, "rb") as f:
        text = base64.b64encode(zlib.compress(f.read(), 9)).decode()
    if len(text) > 20000:
        return f"the input is {path}"
    return f"the input: python3 -c \"import base64,sys,zlib; sys.stdout.buffer.write(zlib.decompress(base64.b64decode('{text}')))\""


def short(output):
    """What a sanitizer says first, and how it ended: between them are stacks of allocations and bytes of shadow memory."""
    found = re.search(r"^.*(?:ERROR: |runtime error: )", output, re.M)
    first = output[found.start():][:4000] if found else ""
    return first + "\n[...]\n" + output[-1500:] if first else output[-5000:]


def main():
    os.chdir(os.environ.get("MOTE_ROOT", "."))
    parser = argparse.ArgumentParser(prog="./dev fuzz")
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="the same walk again; default: another one every time")
    parser.add_argument("--runs", action="append", default=[], metavar="TARGET=N", help="so many runs of that target")
    parser.add_argument("--sweep", type=int, default=0, metavar="N", help="every change of one field of the seeds of plan, in N ways")
    parser.add_argument("--emulated", action="store_true", help="with the kernels of AVX-512 (preset emulated) instead of this CPU's")
    parser.add_argument("--max-mb", type=int, default=2048)
    options = parser.parse_args()
    if options.emulated:
        global BIN
        BIN = "build/emulated/bin"
    known = sorted(os.path.basename(p).removeprefix("fuzz_") for p in glob.glob(f"{BIN}/fuzz_*"))
    unknown = [t for t in options.targets if t not in known]
    if unknown:
        parser.error(f"no target {' '.join(unknown)}; there are: {' '.join(known)}")
    targets = options.targets or known
    runs = {name: int(count) for name, _, count in (r.partition("=") for r in options.runs)}
    work = [lambda t=t: fuzz(t, options.seconds, options.seed, runs.get(t, 0), options.max_mb) for t in targets]
    if options.sweep:
        os.makedirs("build/fuzz/plan_sweep", exist_ok=True)
        plan_seeds("build/fuzz/plan_sweep/seeds")
        models = sorted(glob.glob("build/fuzz/plan_sweep/seeds/*.mote"))
        work += [lambda m=m, p=p: sweep(m, options.sweep, p) for m in models for p in (0, 1)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name, kept, code, done, output in pool.map(lambda f: f(), work):
            print(f"{name}: {'ok' if code == 0 else 'FAILED'}, {done} {'changes' if name.startswith('plan_sweep') else 'runs'}", flush=True)
            if code:
                failed += 1
                print(short(output))
                print(packed(glob.glob(kept)))
    print(f"{len(work) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
