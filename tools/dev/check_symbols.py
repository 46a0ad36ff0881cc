"""The objects of x86_avx2.cc and its like share no code with the rest of the program.

A function that is compiled in an ISA file and merged by the linker with the same function of another file would run that ISA's
instructions on every CPU. So each function an ISA object defines is local, or carries the ISA's name; data has no instructions
and may be shared.
"""
import glob
import os
import re
import subprocess

BUILD = "build/native"
ISA_FILE = re.compile(r"/((?:x86|arm|riscv|wasm)_([a-z0-9]+))\.cc\.o$")


def run(flags):
    objects = [o for o in glob.glob(f"{BUILD}/CMakeFiles/**/*.o", recursive=True) if ISA_FILE.search(o)]
    if not os.path.isdir(f"{BUILD}/CMakeFiles"):
        raise FileNotFoundError(BUILD)
    findings = []
    for path in objects:
        isa = ISA_FILE.search(path)[2]
        done = subprocess.run(["nm", "-C", "--defined-only", path], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            m = re.match(r"[0-9a-f]+ (\w) (.*)", line)
            if m and m[1] in "TWi" and not re.search(rf"\b(\w*_)?{isa}\b", m[2]):
                what = "weak" if m[1] == "W" else "global"
                findings.append(f"{os.path.relpath(path, BUILD)}: {what} function without '{isa}' in its name: {m[2][:160]}")
    return findings
