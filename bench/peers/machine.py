"""What was measured on, and how a measuring process is started. Standard library only."""
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import zoo_files  # noqa: E402

FLAGS = {"avx2": "AVX2", "fma": "FMA", "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX VNNI",
         "avx512_bf16": "AVX-512 BF16", "amx_tile": "AMX", "asimd": "NEON", "asimddp": "dot product", "i8mm": "i8mm", "sve": "SVE"}
PROGRAM = os.environ.get("MOTE", str(ROOT / "build" / "native" / "bin" / "mote"))


def describe():
    info = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        info.setdefault(key.strip(), value.strip())
    flags = set((info.get("flags") or info.get("Features") or "").split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": info.get("model name") or info.get("Model") or platform.machine(), "cores": os.cpu_count(), "memory_gib": round(memory),
            "isa": [name for flag, name in FLAGS.items() if flag in flags], "system": f"{platform.system()} {platform.machine()}"}


def text(machine):
    return (f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {', '.join(machine['isa'])}, {machine['system']}")


def warn_if_busy():
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"the machine is busy (load {busy:.1f}): times will be too long and ratios unsteady", file=sys.stderr)


def run_pinned(command, cpus, timeout, threads=1):
    """Runs a command on these cores; (output, None), or (None, what went wrong)."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace", timeout=timeout, env=environment,
                              preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    except subprocess.TimeoutExpired:
        return None, f"not done after {timeout:g} s"
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        why = f"ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with code {done.returncode}"
        return None, f"{why}: {lines[-1].replace(str(zoo_files.CACHE) + '/', '').replace(str(ROOT) + '/', '')[:200]}"
    return done.stdout, None


def run_worker(cell, cpus, timeout):
    """Measures one cell in a fresh process; a crash or a timeout is a result too."""
    output, problem = run_pinned([zoo_files.VENV_PYTHON, HERE / "worker.py", json.dumps(cell)], cpus, timeout, cell.get("threads", 1))
    lines = (output or "").strip().splitlines()
    return json.loads(lines[-1]) if lines else {"failed": problem or "the worker said nothing"}


def run_mote(arguments, cpus, timeout=300):
    """The JSON of a verb of mote; raises RuntimeError."""
    output, problem = run_pinned([PROGRAM, *arguments, "--json"], cpus, timeout)
    if problem:
        raise RuntimeError(f"mote {arguments[0]} {problem}")
    return json.loads(output)


def mote_version():
    output, problem = run_pinned([PROGRAM, "--version"], allowed_cpus(), 60)
    return problem or output.splitlines()[0].strip()


def process_ms(cpus, times=5):
    """From starting `mote --version` to its end: what any process costs here. The least of some."""
    least = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        run_pinned([PROGRAM, "--version"], cpus, 60)
        least = min(least, time.perf_counter() - start)
    return least * 1e3


def allowed_cpus():
    return sorted(os.sched_getaffinity(0))


def make_environment():
    """The interpreter with the pinned packages; installs them where they are not."""
    done = subprocess.run(["sh", str(ROOT / "tools" / "zoo_venv.sh")], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit("the Python packages of tools/requirements-zoo.txt could not be installed")
    return done.stdout.strip()


def save(path, text):
    """Writes a file as a whole, without the folder that the networks happen to lie in."""
    text = text.replace(f"{zoo_files.CACHE}/", "")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.replace(path)
