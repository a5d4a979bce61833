"""The training loop, its state on disk, what you see of it, and its curves."""

from minillm.training.loop import (METRICS, HeldOut, Silent, batches, check_folder, check_memory, epochs, evaluate, held_out, losses, plain_steps,
                                   prepare_folder, read_metrics, run, starts_of_rows, write_sample)

__all__ = ["METRICS", "HeldOut", "Silent", "batches", "check_folder", "check_memory", "epochs", "evaluate", "held_out", "losses", "plain_steps",
           "prepare_folder", "read_metrics", "run", "starts_of_rows", "write_sample"]
