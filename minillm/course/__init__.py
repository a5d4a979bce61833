"""The course: lessons that are run, exercises that are checked, pages and notebooks made from both. See lessons/README.md."""

__all__ = ["checking", "demos", "exercises", "lessons", "small_models"]
