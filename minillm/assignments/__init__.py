"""Assignments: hand out lessons to a class, check, collect and grade them without ever trusting
what was handed in.
"""

__all__ = ["assignment", "classroom", "collecting", "gradescope", "grading", "making", "records",
           "reports", "sandbox", "similar", "tables"]
