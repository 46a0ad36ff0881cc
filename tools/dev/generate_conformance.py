"""Writes the cases of the installed onnx package below a folder: node from its generator, the other sets as packaged.

Run by generate_conformance.sh, in an environment that has the package.
"""
import argparse
import os
import shutil
import sys
import warnings

import numpy
import onnx
from onnx.backend.test import cmd_tools
from onnx.backend.test.case.node import collect_testcases

SETS = ("simple", "pytorch-operator", "pytorch-converted", "light")


def main():
    out = sys.argv[1]
    warnings.simplefilter("ignore")  # the generator overflows on purpose
    numpy.seterr(all="ignore")
    failed = 0
    for case in collect_testcases(None):
        # The writer of the package takes arrays; some cases hold NumPy scalars.
        case.data_sets = [tuple([numpy.asarray(v) if isinstance(v, numpy.generic) else v for v in side] for side in data)
                          for data in case.data_sets]
        cmd_tools.model_test.collect_testcases = lambda case=case: [case]
        try:
            cmd_tools.generate_data(argparse.Namespace(output=out))
        except Exception as e:  # noqa: BLE001 - one case of hundreds
            failed += 1
            shutil.rmtree(os.path.join(out, case.kind, case.name), ignore_errors=True)
            print(f"not written: {case.name}: {type(e).__name__}: {e}", file=sys.stderr)
    packaged = os.path.join(os.path.dirname(onnx.__file__), "backend/test/data")
    for name in SETS:
        shutil.copytree(os.path.join(packaged, name), os.path.join(out, name), dirs_exist_ok=True)
    print(f"{len(os.listdir(os.path.join(out, 'node')))} cases of node written, {failed} not", file=sys.stderr)


if __name__ == "__main__":
    main()
