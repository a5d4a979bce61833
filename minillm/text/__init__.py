"""Text and tokens: the tokenizer, corpora, datasets of token ids, n-gram models, the story world."""

__all__ = ["corpora", "dataset", "extended", "ngram", "overlap", "storyworld", "tokenizer"]
