"""The objects of x86_avx2.cc and its like share no code with the rest of the program.

A function that is compiled in an ISA file and merged by the linker with the same function of another file would run that ISA's
instructions on every CPU. So each function an ISA object defines is local, or carries the ISA's name; data has no instructions
and may be shared. NEON is part of every 64-bit Arm, so arm_neon.cc is as any other file. Every build there is counts:
what is inlined depends on how much it optimises.
"""
import glob
import os
import re
import subprocess

BUILDS = ("build/native", "build/aarch64", "build/size", "build/size-cut")
ISA_FILE = re.compile(r"/((?:x86|arm|riscv|wasm)_([a-z0-9]+))\.cc\.o$")


def check_object(path):
    isa = ISA_FILE.search(path)[2]
    if isa == "neon":
        return []
    findings = []
    done = subprocess.run(["nm", "-C", "--defined-only", path], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        m = re.match(r"[0-9a-f]+ ([TWi]) (.*)", line)
        if m and not re.search(rf"(\b|_){isa}(\b|_)", m[2]):
            what = "weak" if m[1] == "W" else "global"
            findings.append(f"{path}: {what} function without '{isa}' in its name: {m[2][:160]}")
    return findings


def run(flags):
    if not any(os.path.isdir(f"{b}/CMakeFiles") for b in BUILDS):
        raise FileNotFoundError(BUILDS[0])
    objects = [o for b in BUILDS for o in glob.glob(f"{b}/CMakeFiles/**/*.o", recursive=True) if ISA_FILE.search(o)]
    return [finding for path in sorted(objects) for finding in check_object(path)]
