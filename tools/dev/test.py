"""./dev test: builds, runs every test and ends with "N passed, N failed, N skipped".

A step is a function that adds to a Tally. Without an argument all steps run: what CI does. `quick` runs the native unit tests
and the cheap checks; `exhaustive` adds the tests that visit every float and the kernels of AVX-512 on any CPU (`emulated`).
A NAME selects what to run: a step (check, asan, fuzz, ...), a test program (kernels: of the native build; asan:kernels) or a
test script.
"""
import concurrent.futures
import glob
import os
import re
import resource
import subprocess
import sys
import time

ROOT = os.environ.get("MOTE_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JOBS = int(os.environ.get("MOTE_JOBS") or len(os.sched_getaffinity(0)))
LOGS = "build/test-logs"
SKIP_CODE = 77  # what a test script exits with when it was skipped; the last line it prints is the reason


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def fail(self, name, detail=""):
        self.failed.append((name, detail))


def run(command, timeout, env=None, log=None):
    """The exit code and the output of a command; -1 and a note at a time-out."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        code, output = -1, (e.stdout or b"").decode(errors="replace") + f"\nstopped after {timeout} s"
    if log:
        with open(os.path.join(LOGS, re.sub(r"[^\w.-]+", "-", log) + ".log"), "w") as f:
            f.write(output)
    return code, output


def in_parallel(tasks):
    """Runs callables that return a Tally, JOBS at a time, and adds the tallies in the order of the tasks."""
    total = Tally()
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for tally in pool.map(lambda task: task(), tasks):
            total.add(tally)
    return total


def build(preset, targets=()):
    code, output = run(["bash", "-euo", "pipefail", "-c", '. tools/dev/lib.sh; build "$@"', "build", preset, *targets], 3600,
                       log=f"build-{preset}")
    tally = Tally()
    if code:
        tally.fail(f"build {preset}", output[-6000:])
    return tally


# ---- unit tests

def read_gtest(name, code, output):
    """Reads what a GoogleTest program printed, so that a crash still counts the tests before it."""
    tally, current, text = Tally(), None, []
    for line in output.splitlines():
        if m := re.match(r"\[ RUN      \] (\S+)", line):
            current, text = m[1], []
        elif (m := re.match(r"\[       OK \] (\S+)", line)) and current:
            tally.passed, current = tally.passed + 1, None
        elif (m := re.match(r"\[  FAILED  \] (\S+)", line)) and current:
            tally.fail(f"{name} {current}", "\n".join(text[-60:]))
            current = None
        elif (m := re.match(r"\[  SKIPPED \] (\S+)", line)) and current:
            reason = [t.strip() for t in text if t.strip() and not re.search(r":\d+: Skipped$", t)]
            tally.skipped.append(f"{name} {current}: {reason[-1] if reason else 'no reason given'}")
            current = None
        else:
            text.append(line)
    if current:
        tally.fail(f"{name} {current}", f"ended with code {code}\n" + "\n".join(text[-80:]))
    elif code and not tally.failed:
        tally.fail(name, f"ended with code {code}\n" + output[-4000:])
    return tally


def unit_tests(label, preset, only=None, emulator=(), env=None, timeout=900, shards=4 * JOBS):
    """Runs build/PRESET/bin/test_* (or those whose folder is in `only`), each in `shards` processes: more than there are cores,
    so that no core waits for the one with the longest tests."""
    programs = sorted(glob.glob(f"build/{preset}/bin/test_*"))
    if only is not None:
        programs = [p for p in programs if os.path.basename(p)[5:] in only]

    def task(program, shard):
        name = f"{label} {os.path.basename(program)}"
        sharding = {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(shard)} if shards > 1 else {}
        code, output = run([*emulator, program, "--gtest_color=no"], timeout, {**(env or {}), **sharding}, f"{name}-{shard}")
        return read_gtest(name, code, output)

    return in_parallel([lambda p=p, s=s: task(p, s) for p in programs for s in range(shards)])


SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-16",
    "TSAN_OPTIONS": "second_deadlock_stack=1:external_symbolizer_path=/usr/bin/llvm-symbolizer-16",
}
# Emulated, under sanitizers and on 32 bits without vectors, the tests that are about size take too long; they run natively.
SMALL = {"GTEST_FILTER": "-*Large*:*Exhaustive*"}
SANITIZED = {**SANITIZER_ENV, **SMALL}
QEMU_ARM = ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")
# What aarch64 builds: kernels, ops, what runs them, and their tests.
CORE_TESTS = ("base", "simd", "tensor", "kernels", "ops", "api")
# Those that start threads.
THREAD_TESTS = ("base", "api")
# About numbers, not memory, and long: natively they visit the kernels of plain C++ too.
LONG_NUMBERS = ":Dot.PairsOfBf16:Math.F32*:Reduce.FollowsLanes16*"
# Long where plain C++ is emulated. It is run there to see that no instruction is missing, which a part of the tests shows.
LONG_GENERIC = LONG_NUMBERS + ":Conv.Winograd:Conv.LongRows:Conv.MapsOfEveryWidth:Narrow.DepthsAndBlocks:Resize.EveryRow*"


def step_native():
    tally = build("native")
    tally.add(unit_tests("native", "native"))
    return tally


def step_exhaustive():
    return unit_tests("exhaustive", "native", only=("simd", "kernels"), env={"MOTE_EXHAUSTIVE": "1"}, timeout=7200)


def step_asan():
    tally = build("asan")
    env = {**SANITIZED, "GTEST_FILTER": SANITIZED["GTEST_FILTER"] + LONG_NUMBERS}
    tally.add(unit_tests("asan", "asan", env=env, timeout=1200))
    return tally


def step_emulated():
    tests = ("simd", "kernels", "api")
    tally = build("emulated", [f"test_{name}" for name in tests])
    tally.add(unit_tests("emulated", "emulated", only=tests, env=SANITIZED, timeout=3600))
    return tally


def step_tsan():
    tally = build("tsan", [f"test_{name}" for name in THREAD_TESTS])
    tally.add(unit_tests("tsan", "tsan", only=THREAD_TESTS, env=SANITIZED, timeout=1200))
    return tally


def step_aarch64():
    tally = build("aarch64", ["mote_program", *(f"test_{name}" for name in CORE_TESTS)])
    tally.add(run_scripts(sorted(glob.glob("tests/cross/*_test.py"))))
    # What the second has and the first lacks are instructions, which kernels of integers alone use.
    for cpu, tests, only in (("cortex-a72", CORE_TESTS, "*"), ("max", ("kernels",), "IntegerDot.*:WordDot.*"), ("max", ("api",), "*")):
        env = {"QEMU_CPU": cpu, "GTEST_FILTER": only + SMALL["GTEST_FILTER"]}
        tally.add(unit_tests(f"aarch64({cpu})", "aarch64", only=tests, emulator=QEMU_ARM, env=env, timeout=1800))
    return tally


def step_generic():
    env = {"QEMU_CPU": "Nehalem", "GTEST_FILTER": SMALL["GTEST_FILTER"] + LONG_GENERIC}
    return unit_tests("generic(Nehalem)", "native", only=("base", "simd", "kernels"), emulator=("qemu-x86_64",), env=env,
                      timeout=1800)


def step_i386():
    tally = build("i386")
    tally.add(unit_tests("i386", "i386", env=SMALL))
    return tally


def step_nofs():
    tally = build("nofs", ("mote",))
    if not tally.failed:
        tally.passed += 1
    return tally


# ---- scripts

def step_scripts(only=None):
    """tests/**/run.sh and tests/**/*_test.py: exit 0 is passed, 77 is skipped. They find the program in $MOTE."""
    scripts = sorted(glob.glob("tests/**/run.sh", recursive=True) + glob.glob("tests/**/*_test.py", recursive=True))
    # What needs another machine's build runs behind it: step_aarch64.
    scripts = [s for s in scripts if not s.startswith("tests/cross/")]
    if only:
        scripts = [s for s in scripts if any(o in s for o in only)]
    return run_scripts(scripts)


def run_scripts(scripts):
    env = {"MOTE": os.path.abspath("build/native/bin/mote"), "MOTE_BUILD": os.path.abspath("build/native")}

    def task(script):
        command = ["bash", script] if script.endswith(".sh") else [sys.executable, script]
        if script.endswith(".py") and "unittest.main" in open(script).read():
            command.append("-v")
        code, output = run(command, 900, env, script)
        return read_script(script, code, output)

    return in_parallel([lambda s=s: task(s) for s in scripts])


def read_script(script, code, output):
    tally, lines = Tally(), output.strip().splitlines()
    ran = re.search(r"^Ran (\d+) tests? in", output, re.M)
    if code == SKIP_CODE:
        tally.skipped.append(f"{script}: {lines[-1] if lines else 'no reason given'}")
    elif ran:
        tally.skipped += [f"{script} {m[1]}: {m[2]}" for m in re.finditer(r"^(\S+) \(.*\.\.\. skipped '?(.*?)'?$", output, re.M)]
        bad = re.findall(r"^(?:FAIL|ERROR): (\S+)", output, re.M)
        for name in bad:
            tally.fail(f"{script} {name}", output[-4000:])
        if code and not bad:
            tally.fail(script, output[-4000:])
        tally.passed = int(ran[1]) - len(bad) - len(tally.skipped)
    elif code:
        tally.fail(script, f"ended with code {code}\n" + output[-4000:])
    else:
        tally.passed = 1
    return tally


def last_line_counts(output):
    m = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*$", output)
    return (int(m[1]), int(m[2]), int(m[3])) if m else None


def step_check(names=("layers", "format", "names")):
    def task(name):
        tally = Tally()
        code, output = run([sys.executable, "tools/dev/check.py", name], 3600, log=f"check-{name}")
        if code == 0:
            tally.passed = 1
        elif code == SKIP_CODE:
            tally.skipped.append(f"check {name}: {output.strip().splitlines()[-1]}")
        else:
            tally.fail(f"check {name}", output[-6000:])
        return tally

    return in_parallel([lambda n=n: task(n) for n in names])


def step_full_check():
    return step_check(("layers", "format", "names", "symbols", "tidy"))


def step_fuzz():
    tally = Tally()
    # Plans are programs: every field of some is changed, and a walk of so many runs, not of so long, goes further.
    code, output = run([sys.executable, "tools/dev/fuzz.py", "--seconds", "30", "--seed", "1", "--runs", "plan=20000", "--sweep", "2"], 3600, log="fuzz")
    counts = last_line_counts(output)
    if counts:
        tally.passed = counts[0]
    if code or not counts:
        tally.fail("fuzz", output[-12000:])
    return tally


def step_conformance():
    return conformance("conformance", "tools/dev/conformance.sh")


def step_tflite():
    return conformance("tflite", "tools/dev/conformance_tflite.sh")


def conformance(name, script):
    tally = Tally()
    code, output = run(["bash", script, "--test"], 3600, log=name)
    if code == SKIP_CODE:
        tally.skipped.append(f"{name}: {output.strip().splitlines()[-1]}")
        return tally
    counts = last_line_counts(output)
    if counts:
        tally.passed = counts[0]
        tally.skipped += [f"{name}: {line.strip()}" for line in output.splitlines() if line.startswith("skipped ")]
    if code or not counts:
        tally.fail(name, output[-6000:])
    return tally


STEPS = {
    "native": step_native, "scripts": step_scripts, "check": step_full_check, "conformance": step_conformance, "tflite": step_tflite,
    "i386": step_i386, "nofs": step_nofs, "generic": step_generic, "aarch64": step_aarch64, "tsan": step_tsan,
    "asan": step_asan, "fuzz": step_fuzz,
}
# Steps that a run of everything leaves out, because they take half an hour each or more.
ON_DEMAND = {"emulated": step_emulated, "exhaustive": step_exhaustive}


def plan(arguments):
    """The steps to run: (name, function)."""
    mode = arguments[0] if arguments else "all"
    if mode == "quick":
        return [("native", step_native), ("check", step_check)]
    if mode == "all":
        return list(STEPS.items())
    if mode == "exhaustive":
        return [*STEPS.items(), *ON_DEMAND.items()]
    steps = []
    for name in arguments:
        preset, _, folder = name.partition(":")
        if name in STEPS or name in ON_DEMAND:
            steps.append((name, {**STEPS, **ON_DEMAND}[name]))
        elif folder and preset in ("asan", "tsan", "i386"):
            steps += [(f"build {preset}", lambda p=preset, f=folder: build(p, [f"test_{f}"])),
                      (name, lambda p=preset, f=folder: unit_tests(p, p, only=(f,), env=SANITIZED))]
        elif os.path.isdir(f"src/{name}"):
            steps += [("build native", lambda n=name: build("native", [f"test_{n}"])),
                      (name, lambda n=name: unit_tests("native", "native", only=(n,)))]
        elif glob.glob(f"tests/**/*{name}*", recursive=True):
            steps += [("build native", lambda: build("native")), (name, lambda n=name: step_scripts((n,)))]
        else:
            sys.exit(f"./dev test: nothing is called '{name}'; there are: {' '.join(STEPS)}, the folders of src/ and tests/")
    return steps


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    os.chdir(ROOT)
    os.makedirs(LOGS, exist_ok=True)
    if not os.environ.get("MOTE_TEST_DATA"):
        print("MOTE_TEST_DATA is not set and there is no ../shared: tests that need its data are skipped", flush=True)
    total, times = Tally(), []
    for name, function in plan(sys.argv[1:]):
        print(f"-- {name} ...", flush=True)
        start, cpu = time.monotonic(), cpu_seconds()
        tally = function()
        times.append((name, time.monotonic() - start))
        print(f"   {len(tally.failed)} failed, {tally.passed} passed, {len(tally.skipped)} skipped, {times[-1][1]:.1f} s "
              f"({cpu_seconds() - cpu:.1f} s of CPU)", flush=True)
        for failure, detail in tally.failed:
            print(f"FAILED {failure}\n{detail}\n", flush=True)
        total.add(tally)
    print("\nTimes: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in times) +
          f"; all {sum(s for _, s in times):.0f} s")
    for name in total.skipped:
        print(f"skipped: {name}")
    for name, _ in total.failed:
        print(f"failed: {name}")
    print(f"{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
