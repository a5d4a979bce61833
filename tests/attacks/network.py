"""Asks a server of this machine, and one by name."""

import socket
import urllib.request


def attack(name, arguments):
    for host in ("127.0.0.1", "localhost", "::1"):
        try:
            return float(
                urllib.request.urlopen(f"http://{host}:{TARGETS['port']}/", timeout=1).read()
            )
        except Exception:
            pass
    for kind in (socket.AF_INET, socket.AF_UNIX, socket.AF_INET6, 16, 17, 38, 40):
        try:
            socket.socket(kind, socket.SOCK_DGRAM)
            raise ValueError(f"LEAK a socket of kind {kind}")
        except OSError:
            pass
    return 0
