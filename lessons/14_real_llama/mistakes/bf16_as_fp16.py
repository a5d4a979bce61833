"""16 bits are 16 bits."""


def decoded(part, dtype):
    return np.frombuffer(part, "<f4" if dtype == "F32" else "<f2")
