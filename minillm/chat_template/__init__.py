"""Chat templates of checkpoints, rendered in a process of their own."""

from minillm.chat_template.process import find, render, render_each, special_tokens

__all__ = ["find", "render", "render_each", "special_tokens"]
