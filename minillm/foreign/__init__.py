"""Checkpoints that others made: each format is one file that reads it exactly or says why not."""
