"""The model in a web page: a LLaMA in JavaScript, and pages that hold one and need no network."""

__all__ = ["embedding", "page"]
