"""`--hosts`: one run on several machines. This process watches; a child of it joins the others.

JAX ends a process from within, with many lines, where another host is gone: the child ends so, and
its parent says it in one.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

from minillm.cli.status import status_of
from minillm.errors import UserError
from minillm.files import make_folder

NAMES = ("hosts", "host", "coordinator")  # where a run is done, not what it is
LEFT = 3                                  # exit status of a child that has lost the others


def add_hosts(command):
    """On how many machines a run is done, and which of them this is."""
    group = command.add_argument_group("several machines (jax)")
    group.add_argument("--hosts", type=int, default=1, metavar="N",
                       help="machines that share the run; start the same command on each")
    group.add_argument("--host", type=int, metavar="I",
                       help="which of them this is, from 0 (default: none; needed with --hosts)")
    group.add_argument("--coordinator", metavar="HOST:PORT",
                       help="address of host 0, where all meet (default: none; needed with "
                       "--hosts)")


def check_hosts(options):
    """Refuse options that are no place in a run. Raises UserError."""
    given = [f"--{name}" for name in NAMES[1:] if getattr(options, name) is not None]
    if options.hosts < 1:
        raise UserError(f"--hosts {options.hosts}: must be a whole number of at least 1")
    if options.hosts == 1:
        if given:
            raise UserError(f"{given[0]}: is for several machines: give --hosts too")
        return
    if options.twin != "jax":
        raise UserError(f"--hosts {options.hosts}: is for --twin jax alone")
    if options.host is None or not 0 <= options.host < options.hosts:
        given = "is missing" if options.host is None else f"{options.host}"
        raise UserError(f"--host {given}: must be a number from 0 to {options.hosts - 1}, "
                        "another one on each machine")
    address, _, port = (options.coordinator or "").rpartition(":")
    if not address or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"--coordinator {options.coordinator}: must be HOST:PORT, the address of "
                        "host 0 and a free port there")
    if options.batch_size % options.hosts:
        raise UserError(f"--batch-size {options.batch_size}: must be a multiple of the "
                        f"{options.hosts} hosts")


def run_as_host(options, run: Callable) -> int:
    """Do `run(options, hosts)` in a child that joins the others. Raises UserError where it ends
    without an answer."""
    values = {name: value for name, value in vars(options).items()
              if name not in ("run", "parser")}
    log = make_folder(options.out) / f"host-{options.host}.log"
    program = (f"from {__name__} import main; from {run.__module__} import {run.__name__}; "
               f"main({run.__name__})")
    with subprocess.Popen([sys.executable, "-c", program, json.dumps(values), str(log)],
                          stdin=subprocess.PIPE) as child:
        before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),  # the child has it
                  signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.terminate())}
        status = child.wait()
    for number, handler in before.items():
        signal.signal(number, handler)
    if status in (0, 1, 2, 130):
        return status
    raise UserError(f"host {options.host}: another host did not come or has stopped, or this one "
                    f"failed: continue with --resume on all of them ({log} has the details)")


# ---- The child -------------------------------------------------------------------------------


def main(run: Callable):
    """What JAX's network layer prints goes to `log`, what Python prints to where it always goes."""
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()
    values, log = sys.argv[1:]
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, open(os.dup(number), "w", encoding="utf-8", buffering=1))
        os.dup2(file, number)
    status = status_of(partial(_joined, run, Namespace(**json.loads(values)), Path(log)))
    if status:                # the others must not wait for this host to say goodbye
        _leave(status)


def _joined(run: Callable, options, log: Path) -> int:
    from minillm.in_jax.hosts import Hosts, join

    try:
        join(options.hosts, options.host, options.coordinator, options.cpu_devices)
        return run(options, Hosts()) or 0
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:      # of many kinds, where another host is gone
        if "RESOURCE_EXHAUSTED" in str(error):
            raise
        with open(log, "a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        return LEFT


def _leave_with_the_parent():
    while os.read(0, 1):      # ends where the parent does
        pass
    _leave(LEFT)


def _leave(status: int):
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
