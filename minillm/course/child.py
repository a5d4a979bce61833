"""Runs an exercise: reads inputs, writes answers. The only program here that executes what a
student wrote.

Started as `python -I -S child.py SETTINGS` beside plain.py, in a sandbox or without one; nothing
else of minillm is there. SETTINGS is JSON: {"job": file, "path": where NumPy is, "uid": become
this user or null, "seccomp": filter or null, "limits": {rlimit: n}}. The job is two records,
{"file", "asking", "lent", "names", "jax"} and [(name, by_hand, cases), ...]; answers are records
on standard output:

    "ready"              once, when the libraries are there
    ["file", Raises]     the file could not be read, and nothing follows
    ["task", name]       before each task
    ["answers", list]    after it: for each case a value, Raises or NotWritten (then the list ends)

What the exercise prints goes to standard error. Nothing here is to be believed by who reads the
answers.
"""

import ast
import contextlib
import copy
import importlib.util
import json
import os
import sys
import types

if __name__ != "__main__":
    from minillm.course import plain

STUDENT = "the_exercise"  # the module name under which the file is run
LACKS = "there is no {} in the file: keep the names of the exercise"
HIDDEN = {"minillm"}  # what is not importable even where it is installed


def run_file(path, name, source=None) -> types.ModuleType:
    """A Python file as a module. Bytes, so that its encoding and line ends are Python's
    business.
    """
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    if source is None:
        with open(path, "rb") as file:
            source = file.read()
    try:
        tree = ast.parse(source, str(path))
        code = compile(tree, str(path), "exec", dont_inherit=True)
    except (
        ValueError,
        RecursionError,
        MemoryError,
    ) as error:  # null bytes, brackets in brackets in brackets
        raise SyntaxError(str(error) or "too deep") from None
    sys.meta_path.insert(0, _Missing(_absent(tree)))
    exec(code, module.__dict__)
    return module


def _absent(tree) -> set[str]:
    """The libraries that a file imports at its top level and that are not here."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return {name for name in names - sys.modules.keys() if name in HIDDEN
            or importlib.util.find_spec(name) is None}


class _Missing:
    """Finds libraries that are not here, so that an import that is never used costs nothing;
    hides minillm.
    """

    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in self.names:
            return importlib.util.spec_from_loader(name, self, is_package=True)
        if top in HIDDEN:
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)
        return None

    def create_module(self, spec):
        return _Nothing(spec.name)

    def exec_module(self, module):
        pass


class _Nothing(types.ModuleType):
    """Stands for something of a library that is not here; any use raises ModuleNotFoundError."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing(f"{self.__name__}.{name}")

    def __call__(self, *args, **more):
        raise ModuleNotFoundError(f"No module named {self.__name__.partition('.')[0]!r}")

    __add__ = __radd__ = __mul__ = __rmul__ = __matmul__ = __getitem__ = __iter__ = __len__ = (
        __float__) = __call__


def line_of_file(error: BaseException) -> int | None:
    """The line of the student's file in which it was raised."""
    line, at = None, error.__traceback__
    while at is not None:
        if at.tb_frame.f_globals.get("__name__") == STUDENT:
            line = at.tb_lineno
        at = at.tb_next
    return error.lineno if line is None and isinstance(error, SyntaxError) else line


def raised(error: BaseException):
    """An exception as an answer."""
    try:
        text = str(error.msg) if isinstance(error, SyntaxError) else str(error)
    except BaseException:
        text = ""
    name = type(error).__name__
    return plain.Raises(name if name.isidentifier() else "Exception", text[:400],
                        line_of_file(error))


def answers_to(name: str, by_hand: bool, ask, student, cases) -> list:
    """What the student's module answers to each case. `ask(student, *case)` asks it, or None: the
    function `name`.
    """
    if not hasattr(student, name) and (ask is None or by_hand):
        return [plain.NotWritten(LACKS.format(name))]
    answers = []
    for case in cases:
        given = copy.deepcopy(case)
        try:
            answer = (getattr(student, name) if by_hand else ask(student, *given) if ask
                      else getattr(student, name)(*given))
        except NotImplementedError:
            answer = plain.NotWritten()
        except AttributeError as error:  # a name that `ask` looks for
            lacks = error.obj is student
            answer = plain.NotWritten(LACKS.format(error.name)) if lacks else raised(error)
        except BaseException as error:  # exit() and Ctrl-C are errors as others are
            answer = raised(error)
        answers.append(plain.NotWritten("not filled in yet") if by_hand and answer is None
                       else answer)
        if isinstance(answers[-1], plain.NotWritten):
            break
    return answers


def _restrict(settings):
    """Become nobody, and take on the limits: there is no way back from either."""
    if settings["uid"] is not None:
        os.setgroups([])
        os.setgid(settings["uid"])
        os.setuid(settings["uid"])
    with contextlib.suppress(Exception):  # end with the grader (Linux)
        import ctypes

        ctypes.CDLL(None).prctl(1, 9)
    if settings["seccomp"]:  # where no other program has loaded the filter
        with open(settings["seccomp"], "rb") as file:
            _load_filter(file.read())
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        for name, most in settings["limits"].items():
            with contextlib.suppress(ValueError, OSError, AttributeError):
                resource.setrlimit(getattr(resource, name), (most, most))


def _load_filter(program: bytes):
    """Load a seccomp filter into this process. Raises OSError."""
    import ctypes

    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    given = Program(len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(given), 0, 0):
        raise OSError(ctypes.get_errno(), "the filter of system calls could not be loaded")


def main():
    settings = json.loads(sys.argv[1])
    _restrict(settings)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # input() is answered by nobody
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), settings["path"]]
    global plain
    import plain

    del sys.path[0]
    with open(settings["job"], "rb") as file:
        job, tasks = plain.records(file.read())
    job = plain.read(job)
    if job["jax"]:
        import jax  # noqa: F401  (its start is not the student's time)

    def write(value):
        try:
            data = plain.record(value)
        except Exception:  # one by one: only what cannot travel is lost
            data = plain.record([value[0], [_fits(answer) for answer in value[1]]])
        out.write(data)
        out.flush()

    def _fits(answer):
        try:
            plain.record(answer)
            return answer
        except Exception as error:
            return plain.Unlike(f"a value that cannot be read ({str(error)[:100]})")

    write("ready")
    asking = run_file("asking.py", "asking", job["asking"].encode())
    tasks = plain.read(tasks, asking)
    try:
        student = run_file(job["file"], STUDENT)
        if job["lent"]:
            lent = run_file("lent.py", "lent", job["lent"].encode())
            for name in job["names"]:
                setattr(student, name, getattr(lent, name))
    except BaseException as error:
        return write(["file", raised(error)])
    for name, by_hand, cases in tasks:
        write(["task", name])
        write(["answers", answers_to(name, by_hand, getattr(asking, name, None), student, cases)])


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # no atexit, no threads that are waited for
