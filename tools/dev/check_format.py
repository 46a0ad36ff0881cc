"""C++ files are as clang-format-16 would write them; with --fix they are afterwards."""
import concurrent.futures
import os
import subprocess

import sources


def run(flags):
    files = sources.cpp()
    if "--fix" in flags:
        for i in range(0, len(files), 50):
            subprocess.run(["clang-format-16", "-i", *files[i:i + 50]], check=True)
        return []

    def task(chunk):
        done = subprocess.run(["clang-format-16", "--dry-run", *chunk], capture_output=True, text=True)
        return [line for line in done.stderr.splitlines() if "clang-format-violations" in line]

    chunks = [files[i:i + 10] for i in range(0, len(files), 10)]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        lines = [line for found in pool.map(task, chunks) for line in found]
    bad = sorted({line.split(":")[0] for line in lines})
    return [f"{f}: not formatted; ./dev fmt does it" for f in bad]
