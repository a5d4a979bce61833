"""A3: reads, links and clears the teacher's kernel keys, and leaves one for the next student."""

import ctypes

ADD_KEY, REQUEST_KEY, KEYCTL = 248, 249, 250


def attack(name, arguments):
    call = ctypes.CDLL(None, use_errno=True).syscall
    user, found = ctypes.create_string_buffer(b"user"), []
    for ring in (-3, -4, -5):
        found.append(call(ADD_KEY, user, ctypes.create_string_buffer(b"minillm"), b"42", 2, ring))
        found.append(call(KEYCTL, 7, ring, 0))
    found += [
        call(KEYCTL, 0, -4, 1),
        call(REQUEST_KEY, user, ctypes.create_string_buffer(b"ticket"), None, 0),
        call(KEYCTL, 22, -1, -3),
    ]
    if any(key > 0 for key in found):
        raise ValueError(f"LEAK key {found}")
    return 0
