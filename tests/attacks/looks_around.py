"""A10: reads the environment, every /proc that is visible, mounts, and all files that can be found."""

import os

secret = bytes(byte ^ 1 for byte in TARGETS["masked"])
found = [f"{name}={value}" for name, value in os.environ.items() if secret.decode() in value]
for top, folders, files in os.walk("/"):
    if top.startswith(("/usr/lib", "/packages", "/lib", "/sys")):
        folders[:] = []
        continue
    for file in files:
        if file in (
            "solution.py",
            "test_exercise.py",
            "secret.json",
            "submission_metadata.json",
            "grades.csv",
        ) or top.startswith("/proc"):
            try:
                with open(os.path.join(top, file), "rb") as opened:
                    data = opened.read(100_000)
            except OSError:
                continue
            if (
                file in ("solution.py", "test_exercise.py", "secret.json")
                or secret in data
                or TARGETS["place"].encode() in data
            ):
                found.append(os.path.join(top, file))
for path in TARGETS["files"]:
    try:
        with open(path, "rb") as opened:
            found.append(path + repr(opened.read(20)))
    except OSError:
        pass
if found:
    raise ValueError(f"LEAK {found[:3]}")


def attack(name, arguments):
    return 0
