"""What LiteRT's reference kernels make of models. Children do the work, since a kernel may take its process down."""
import contextlib
import os
import pickle
import struct

import numpy as np


@contextlib.contextmanager
def quiet():
    """LiteRT talks on stderr."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def interpreter(model, reference=True, **more):
    """With the reference kernels; operators that have none (CEIL, ELU, ROUND) with the optimized ones, as where not `reference`."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    make = lambda kind: Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=kind, **more)  # noqa: E731
    try:
        return make(OpResolverType.BUILTIN_REF if reference else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    except ValueError as e:
        if "Didn't find op" not in str(e):
            raise
        return make(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def tensor(engine, detail):
    """A tensor's value; LiteRT's Python does not hand out those without elements."""
    if detail["shape"].size and not detail["shape"].all():
        return np.zeros(detail["shape"], detail["dtype"])
    return np.array(engine.get_tensor(detail["index"]))


def run(model, runs, reference=True):
    """runs: a list of lists of arrays, in the order of the graph's inputs. Gives the outputs of every run."""
    engine = interpreter(model, reference)
    inputs = [d["index"] for d in engine.get_input_details()]
    engine.allocate_tensors()
    results = []
    for arrays in runs:
        for i, a in zip(inputs, arrays):
            engine.set_tensor(i, a)
        engine.invoke()
        results.append([tensor(engine, d) for d in engine.get_output_details()])
    return results


def child(work, out):
    with quiet():
        for item in work:
            try:
                answer = item()
            except Exception as e:  # noqa: BLE001 - LiteRT's refusals are RuntimeError and ValueError
                answer = " ".join(str(e).split()) or type(e).__name__
            data = pickle.dumps(answer)
            out.write(struct.pack("<q", len(data)) + data)
            out.flush()


def run_all(work):
    """Calls every function of `work` in children; gives what each returned, or a text that says why there is nothing."""
    answers = []
    while len(answers) < len(work):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            with os.fdopen(write, "wb") as out:
                child(work[len(answers):], out)
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            while True:
                size = pipe.read(8)
                if len(size) < 8:
                    break
                data = pipe.read(struct.unpack("<q", size)[0])
                answers.append(pickle.loads(data))
        _, status = os.waitpid(pid, 0)
        if status and len(answers) < len(work):
            answers.append(f"LiteRT crashed with signal {status & 127}")
        elif len(answers) < len(work):
            raise RuntimeError("a child ended early")
    return answers
