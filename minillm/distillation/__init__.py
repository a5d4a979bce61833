"""Train a small model from a large one's answers."""

from minillm.distillation.loop import (
    check,
    check_context,
    check_student,
    corpus_of,
    keep,
    reading,
    run,
    same_tokenizer,
    steps_of,
    text,
    write_texts,
)

__all__ = ["check", "check_context", "check_student", "corpus_of", "keep", "reading", "run",
           "same_tokenizer", "steps_of", "text", "write_texts"]
