"""step itself."""


def compile_step(step):
    return step
