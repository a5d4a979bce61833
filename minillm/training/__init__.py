"""The training loop, its state on disk, what you see of it, and its curves."""

from minillm.training.callbacks import Callbacks
from minillm.training.evaluation import HeldOut, evaluate, held_out, row_nats
from minillm.training.hosts import ALONE
from minillm.training.loop import (
    Method,
    batches,
    check_folder,
    check_memory,
    check_twin,
    epochs,
    prepare_folder,
    run,
    starts_of_rows,
    steps,
    write_sample,
)
from minillm.training.state import (
    METRICS,
    STATE,
    load_training,
    read_metrics,
    save_training,
    training_notes,
)

__all__ = ["METRICS", "STATE", "ALONE", "Callbacks", "HeldOut", "Method", "batches", "check_folder",
           "check_memory", "check_twin", "epochs", "evaluate", "held_out", "load_training",
           "prepare_folder", "read_metrics", "row_nats", "run", "save_training", "starts_of_rows",
           "steps", "training_notes", "write_sample"]
