"""No shift."""


def decoded(part, dtype):
    if dtype == "BF16":
        return np.frombuffer(part, "<u2").astype(np.uint32).view(np.float32)
    return np.frombuffer(part, {"F32": "<f4", "F16": "<f2"}[dtype])
