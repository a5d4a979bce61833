"""Runs a submission and answers what the grader asks: the only program here that ever executes a student's code.

Started in the sandbox as a program, `python child.py SETTINGS`, beside wire.py and peer.py; no other file of minillm is there. SETTINGS is JSON:
{"path": where NumPy is, "uid": become this user or null, "limits": {rlimit: number}, "jax": import it first}. Questions come on
standard input and answers go to what was standard output (see wire.py); what the submission prints goes to standard error.
"""

import contextlib
import json
import os
import sys
import types

STUDENT = "the_exercise"


def restrict(settings):
    """Become nobody, and take on the limits: there is no way back from either."""
    if settings["uid"] is not None:
        os.setgroups([])
        os.setgid(settings["uid"])
        os.setuid(settings["uid"])
    with contextlib.suppress(Exception):                         # end with the grader (Linux)
        import ctypes
        ctypes.CDLL(None).prctl(1, 9)
    with contextlib.suppress(ImportError):                       # Windows has no such limits
        import resource
        for name, most in settings["limits"].items():
            with contextlib.suppress(ValueError, OSError, AttributeError):
                resource.setrlimit(getattr(resource, name), (most, most))


def channel():
    """The grader's two pipes, moved to where print and input do not reach by accident."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, answers


def read_exactly(file, count) -> bytes:
    data = file.read(count)
    if len(data) < count:
        os._exit(0)                                               # the grader has gone
    return data


def run_file(path, name) -> types.ModuleType:
    """A Python file as a module; bytes, so that its encoding, line ends and byte-order mark are Python's business."""
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    with open(path, "rb") as file:
        source = file.read()
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (ValueError, RecursionError, MemoryError) as error:          # null bytes, brackets in brackets in brackets
        raise SyntaxError(str(error) or "too deep") from None
    exec(code, module.__dict__)
    return module


def stand_in(apply, put_back):
    """A prerequisite that is elsewhere: `apply(*arguments)` gives its answer and, if they changed, its arguments as they are afterwards."""
    def function(*args, **more):
        answer, after = apply(*args, **more)
        if after is not None:
            put_back(args, after)
        return answer
    return function


def main():
    settings = json.loads(sys.argv[1])
    restrict(settings)
    requests, answers = channel()
    sys.path[:0] = [settings["path"]]
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import numpy as np
    import peer
    import wire
    del sys.path[0]
    if settings["jax"]:
        import jax                                                # noqa: F401  (its start is not the submission's time)

    def send(payload):
        answers.write(len(payload).to_bytes(8, "little") + payload)
        answers.flush()

    def receive():
        return read_exactly(requests, int.from_bytes(read_exactly(requests, 8), "little"))

    class Result(wire.Handle):
        """An object of the grader's, for the submission: `np.asarray` waits for it, as for one of JAX's."""

        def __array__(self, dtype=None, copy=None):
            try:
                return np.asarray(self._peer.request("array", self._number), dtype)
            except TypeError:                                     # a function, say: an object, as before
                alone = np.empty((), object)
                alone[()] = self
                return alone

    class Side(peer.Peer):
        handle = Result

        def do_load(self, path, given):
            module = run_file(path, STUDENT)
            for name, apply in given.items():
                setattr(module, name, stand_in(apply, peer.put_back))
            return self.keep(module)

        def do_has(self, number, name):
            return hasattr(self.mine(number), name)

        def stops(self, error):
            return False                                          # exit() and Ctrl-C are errors as others are

        def line(self, error):
            lines, at = [], error.__traceback__
            while at is not None:
                if at.tb_frame.f_globals.get("__name__") == STUDENT:
                    lines.append(at.tb_lineno)
                at = at.tb_next
            if isinstance(error, SyntaxError) and not lines:
                return error.lineno
            return lines[-1] if lines else None

        def describe(self, error):
            return str(error.msg)[:200] if isinstance(error, SyntaxError) else super().describe(error)

    side = Side(send, receive, ("load", "has", "call", "apply", "get", "iter", "next"))
    send(wire.pack(("value", "ready"), side.keep))
    while True:
        side.answer(side.read(receive()))


if __name__ == "__main__":
    main()
