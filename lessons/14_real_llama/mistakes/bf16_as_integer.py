"""astype(float) of the bits."""


def decoded(part, dtype):
    return np.frombuffer(part, {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[dtype]).astype(float)
