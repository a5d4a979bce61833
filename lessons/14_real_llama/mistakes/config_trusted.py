"""torch_dtype decides."""


def read(data, name, config):
    _, shape, begin, end = read_header(data)[name]
    dtype = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}[config["torch_dtype"]]
    return decoded(data[begin:end], dtype).astype(np.float64).reshape(shape)
