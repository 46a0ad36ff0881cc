"""./dev check [layers|format|tidy|symbols|names] [--all]: what a compiler does not check. Without a name: all of them.

Exit code 0: clean; 1: findings, one per line; 77: could not run, the last line says why.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_format
import check_layers
import check_names
import check_symbols
import check_tidy

CHECKS = {
    "layers": check_layers.run, "format": check_format.run, "names": check_names.run, "symbols": check_symbols.run,
    "tidy": check_tidy.run,
}
SKIP_CODE = 77


def main():
    os.chdir(os.environ.get("MOTE_ROOT") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    flags = {a for a in sys.argv[1:] if a.startswith("--")}
    names = [a for a in sys.argv[1:] if not a.startswith("--")] or list(CHECKS)
    unknown = [n for n in names if n not in CHECKS] + [f for f in flags if f not in ("--all", "--fix")]
    if unknown:
        print(f"./dev check: unknown: {' '.join(unknown)}; there are: {' '.join(CHECKS)} [--all]", file=sys.stderr)
        return 2
    code = 0
    for name in names:
        try:
            findings = CHECKS[name](flags)
        except FileNotFoundError as e:
            print(f"{name}: {e.filename or e} is missing")
            code = code or SKIP_CODE
            continue
        for finding in findings:
            print(finding)
        print(f"{name}: {len(findings)} findings" if findings else f"{name}: clean", flush=True)
        if findings:
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
