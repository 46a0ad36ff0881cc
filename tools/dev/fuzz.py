"""./dev fuzz [TARGET...] [--seconds N] [--seed N] [--runs TARGET=N]: runs build/asan/bin/fuzz_* on their corpora, as many at a time
as there are cores. A target with --runs makes that many runs from its seeds alone, however long they take: with a --seed, the same
walk on a fast and a slow machine.

What a fuzzer finds is kept in build/fuzz/TARGET/; a crash is to become a seed in fuzz/corpus/TARGET with its fix.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys

PREFIX = "build/asan/bin/fuzz_"


def plan_seeds(folder):
    """Plans of the models in fuzz/models; they name this machine's kernels, so they are made where they are used."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["build/asan/bin/plan_seeds", *sorted(glob.glob("fuzz/models/*.ir")), folder], check=True)


def fuzz(target, seconds, seed, runs, max_mb):
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
    command = [PREFIX + target, f"-max_total_time={seconds}", f"-seed={seed}", f"-rss_limit_mb={max_mb}", f"-malloc_limit_mb={max_mb}", "-timeout=20",
               "-print_final_stats=1", f"-artifact_prefix={work}/", *([f"-runs={runs}"] if runs else []), corpus, *seeds]
    for dictionary in glob.glob(f"fuzz/{target}.dict"):
        command.append(f"-dict={dictionary}")
    env = {**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1",
           "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-16"}
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=seconds + 600)
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        code, output = -1, (e.stdout or b"").decode(errors="replace") + "\ndid not stop"
    with open(f"{work}/log", "w") as f:
        f.write(output)
    done = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
    return target, code, int(done[1]) if done else 0, output


def main():
    os.chdir(os.environ.get("MOTE_ROOT", "."))
    parser = argparse.ArgumentParser(prog="./dev fuzz")
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="the same walk again; default: another one every time")
    parser.add_argument("--runs", action="append", default=[], metavar="TARGET=N", help="so many runs of that target")
    parser.add_argument("--max-mb", type=int, default=2048)
    options = parser.parse_args()
    known = sorted(p[len(PREFIX):] for p in glob.glob(PREFIX + "*"))
    unknown = [t for t in options.targets if t not in known]
    if unknown:
        parser.error(f"no target {' '.join(unknown)}; there are: {' '.join(known)}")
    targets = options.targets or known
    runs = {name: int(count) for name, _, count in (r.partition("=") for r in options.runs)}
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for target, code, done, output in pool.map(lambda t: fuzz(t, options.seconds, options.seed, runs.get(t, 0), options.max_mb), targets):
            print(f"{target}: {'ok' if code == 0 else 'FAILED'}, {done} runs", flush=True)
            if code:
                failed += 1
                print(output[-5000:])
    print(f"{len(targets) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
