"""Files that models lie in: each format is one file that reads it exactly or says why not."""

__all__ = ["checkpoint", "describe"]
