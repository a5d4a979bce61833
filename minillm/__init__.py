"""minillm: a LLaMA that you can read in an afternoon, train on a laptop, shrink, open up, and grade."""

__version__ = "0.1.0"
