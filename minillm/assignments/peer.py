"""Two sides that ask each other to call a function, read an attribute or step an iterator, and answer what they are asked meanwhile.

Used at both ends, and copied into the sandbox beside wire.py, by which values travel.
"""

import builtins

import numpy as np

try:
    from minillm.assignments.wire import Handle, Refused, pack, unpack
except ImportError:                                  # in the sandbox
    from wire import Handle, Refused, pack, unpack


class Peer:
    """One end. `send(bytes)` and `receive() -> bytes` move payloads; `allowed` says what the other side may ask for.

    changeable: the ids of the objects here in which it shows what a function of the other side did to its arguments; None: in none.
    """

    changeable = None
    handle = Handle

    def __init__(self, send, receive, allowed, check=lambda args: None):
        self.send, self.receive, self.allowed, self.check = send, receive, allowed, check
        self.objects = []

    def keep(self, value) -> int:
        self.objects.append(value)
        return len(self.objects) - 1

    def read(self, payload):
        return unpack(payload, lambda number, iterator: self.handle(self, number, iterator), self.mine)

    def mine(self, number):
        if not 0 <= number < len(self.objects):
            raise Refused("an object that is not here")
        return self.objects[number]

    def request(self, what, *details):
        """Ask the other side, and answer it until it has; returns its answer or raises its error."""
        self.send(pack((what, *details), self.keep))
        while True:
            message = self.read(self.receive())
            if not isinstance(message, tuple) or not message:
                raise Refused("a message that is none")
            if message[0] == "value" and len(message) == 2:
                return message[1]
            if message[0] == "error" and len(message) == 4:
                raise self.error(*message[1:])
            self.answer(message)

    def answer(self, message):
        """Do what was asked, and send how it went. Errors of any kind go back to who asked."""
        try:
            what, *details = message
            if what not in self.allowed:
                raise Refused(f"{what} is not possible here")
            reply = pack(("value", getattr(self, f"do_{what}")(*details)), self.keep)
        except BaseException as error:
            if self.stops(error):
                raise
            reply = pack(("error", [kind.__name__[:60] for kind in type(error).__mro__ if kind is not object],
                          self.describe(error), self.line(error)), self.keep)
        self.send(reply)

    def put_back(self, args, after):
        """Show in the arguments of a call what it did to their copies, where that is allowed."""
        if after is not None:
            put_back(args, after, self.changeable)

    def do_call(self, number, args, kwargs):
        self.check((args, kwargs))
        return self.mine(number)(*args, **kwargs)

    def do_apply(self, number, args, kwargs):
        """(the answer, the arguments as the function left them or None if it left them alone)."""
        before = pack(args, self.once)
        answer = self.mine(number)(*args, **kwargs)
        return answer, args if pack(args, self.once) != before else None

    def once(self, value) -> int:
        """As `keep`, the same number for the same object; only to compare."""
        return id(value)

    def do_get(self, number, name):
        return getattr(self.mine(number), name)

    def do_iter(self, number):
        return iter(self.mine(number))

    def do_next(self, number):
        try:
            return True, next(self.mine(number))
        except StopIteration:
            return False, None

    def stops(self, error) -> bool:
        """Must this error end this side, too?"""
        return not isinstance(error, Exception)

    def describe(self, error) -> str:
        try:
            return str(error)[:400]
        except BaseException:
            return ""

    def line(self, error):
        return None

    def error(self, names, text, line) -> BaseException:
        """The exception to raise here for one of the other side: of the same name, where it is a name at all, below the nearest built-in class."""
        names = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
        base = next((getattr(builtins, name) for name in names if isinstance(getattr(builtins, name, None), type)
                     and issubclass(getattr(builtins, name), Exception)), Exception)
        name = names[0] if names and names[0].isidentifier() and names[0].isascii() and len(names[0]) <= 60 else base.__name__
        made = type(name, (base,), {"__init__": lambda self: None, "__str__": lambda self: self.text, "text": str(text)[:400]})()
        made.line_of_file = line if isinstance(line, int) and not isinstance(line, bool) and 0 < line < 10**7 else None
        return made


def put_back(mine, changed, allowed=None):
    """Do to arrays, lists and dicts, and those in them, what was done to their copies; only to objects whose ids are `allowed`, if that is given."""
    if isinstance(mine, tuple) and isinstance(changed, tuple) and len(mine) == len(changed):
        for item, new in zip(mine, changed):
            put_back(item, new, allowed)
    elif allowed is not None and id(mine) not in allowed:
        return
    elif isinstance(mine, np.ndarray):
        if isinstance(changed, np.ndarray) and mine.flags.writeable and (mine.shape, mine.dtype) == (changed.shape, changed.dtype):
            mine[...] = changed
    elif isinstance(mine, list) and isinstance(changed, list):
        mine[:] = [_put_into(old, new, allowed) for old, new in zip(mine, changed)] + changed[len(mine):]
    elif isinstance(mine, dict) and isinstance(changed, dict):
        made = {key: _put_into(mine.get(key), new, allowed) for key, new in changed.items()}
        mine.clear()
        mine.update(made)


def _put_into(old, new, allowed):
    """`old`, changed to be as `new`, where it can be; else `new`."""
    if type(old) is type(new) and isinstance(old, (list, dict)) or isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and (
            old.shape, old.dtype) == (new.shape, new.dtype) and old.flags.writeable:
        put_back(old, new, allowed)
        return old
    return old if isinstance(old, Handle) or callable(old) else new
