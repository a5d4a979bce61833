"""Assignments: hand out lessons to a class, check, collect and grade them without ever trusting
what was handed in.
"""
