"""minillm: a small LLaMA that you can read in an afternoon and train on a laptop, with a course.

    model = minillm.load("runs/demo")              # or a llama2.c .bin file
    model.logits([[1, 2, 3]], twin="numpy")        # (B, T, V)
    print(*model.generate("Once upon a time", temperature=0), sep="")
"""

__version__ = "0.1.0"
__all__ = ["load"]


def __getattr__(name):                             # what is heavy is imported when it is asked for
    if name == "load":
        from minillm.loading import load
        return load
    raise AttributeError(f"module 'minillm' has no attribute {name!r}")
