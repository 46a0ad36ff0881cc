#!/usr/bin/env python3
"""Compares the rows of src/formats/onnx/ops.inc with the schemas of the installed onnx package, all domains and versions.

    $(tools/zoo_venv.sh) tools/check_rows.py [--mote PROGRAM]

Lists the operators without a row, those whose oldest version has none, and attributes of any version that the op of a plain row does not
have (those would be refused by name). Exit code 1 if an operator of ONNX's own domain or one of its attributes is among them.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys

import onnx

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOMAINS = {"kOnnx": "", "kMl": "ai.onnx.ml", "kTraining": "ai.onnx.preview.training", "kPreview": "ai.onnx.preview", "kMicrosoft": "com.microsoft"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mote", default=str(ROOT / "build" / "native" / "bin" / "mote"))
    args = parser.parse_args()
    ops = json.loads(subprocess.run([args.mote, "ops", "--json"], capture_output=True, check=True).stdout)["ops"]
    attributes = {op["name"]: {a["name"] for a in op["attributes"]} for op in ops}
    rows = collections.defaultdict(list)
    for kind, domain, name, since, op in re.findall(r"^ONNX_(SAME|FUNCTION)\((\w+), (\w+), (\d+), (\w*)", (ROOT / "src/formats/onnx/ops.inc").read_text(), re.M):
        rows[DOMAINS[domain], name].append((int(since), kind, op))
    schemas = sorted(onnx.defs.get_all_schemas_with_history(), key=lambda s: (s.domain, s.name, s.since_version))
    problems, wrong = [], False
    for s in schemas:
        fitting = [row for row in sorted(rows[s.domain, s.name]) if row[0] <= s.since_version]
        place = f"{s.domain or 'ai.onnx'} {s.name} {s.since_version}"
        lacking = []
        if fitting and fitting[-1][1] == "SAME" and fitting[-1][2] in attributes:
            lacking = [a for a in s.attributes if a != "consumed_inputs" and a not in attributes[fitting[-1][2]]]
        if not fitting:
            problems.append(f"{place}: no row")
        elif lacking:
            problems.append(f"{place}: the op has no attribute {', '.join(lacking)}")
        wrong = wrong or (s.domain == "" and (not fitting or bool(lacking)))
    print("\n".join(problems))
    print(f"{len(schemas)} versions of operators, newest opset {onnx.defs.onnx_opset_version()}; {len(problems)} without a row or with unknown attributes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
