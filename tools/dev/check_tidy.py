"""clang-tidy-16 with .clang-tidy on the files that changed against the main branch; --all: on every file of src/ and apps/."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess

import sources

BUILD = "build/native"


def run(flags):
    if not shutil.which("clang-tidy-16"):
        raise FileNotFoundError("clang-tidy-16")
    with open(f"{BUILD}/compile_commands.json") as f:
        compiled = {os.path.relpath(entry["file"], ".") for entry in json.load(f)}
    wanted = sources.tracked() if "--all" in flags else sources.changed()
    stems = {re.sub(r"\.\w+$", "", f) for f in wanted}
    files = sorted(f for f in compiled if f in wanted or re.sub(r"\.\w+$", "", f) in stems)
    print(f"tidy: {len(files)} files", flush=True)

    def task(path):
        done = subprocess.run(["clang-tidy-16", "-p", BUILD, "--quiet", path], capture_output=True, text=True)
        return done.stdout.splitlines()

    findings = []
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for lines in pool.map(task, files):
            findings += [line.replace(os.getcwd() + "/", "") for line in lines if re.search(r": (warning|error): ", line)]
    return sorted(set(findings))
