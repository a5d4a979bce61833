"""The loss on held-out text: which rows, what each costs, and how far above the floor that is."""

from dataclasses import dataclass

import numpy as np

from minillm.config import IGNORE, ModelConfig
from minillm.in_numpy.train import LOGITS_AT_ONCE
from minillm.text.dataset import Dataset, document_rows, windows
from minillm.text.lengths import AT_ONCE, row_bytes, rows_at_once, trimmed

BARE = 2**29  # bytes of a Python with JAX that has done nothing yet


@dataclass(frozen=True)
class HeldOut:
    """Rows to evaluate on. `floor_nats`: the sum of the documents' exact -log p, or None where nobody knows it."""

    tokens_NT: np.ndarray
    targets_NT: np.ndarray
    documents: int
    floor_nats: float | None
    text_bytes: int | None = None

    @property
    def floor_per_token(self) -> float | None:
        """The floor in nats per counted token: what the best possible model would lose on these rows."""
        return None if self.floor_nats is None else self.floor_nats / int(
            np.sum(self.targets_NT != IGNORE))


def held_out(dataset: Dataset, context: int, rows: int | None = None) -> HeldOut:
    """The validation split as rows, or about `rows` of them.

    Where the exact floor is known a row is a document from its very start, so that both see the same; elsewhere rows are
    windows side by side.
    """
    if dataset.floor_nats is None:
        tokens_NT, targets_NT = windows(dataset.validation, context)
        count = min(rows or len(tokens_NT), len(tokens_NT))
        chosen = np.unique(np.linspace(0, len(tokens_NT) - 1, count).astype(int))
        return HeldOut(tokens_NT[chosen], targets_NT[chosen], 0, None,
                       dataset.validation_bytes if len(chosen) == len(tokens_NT) else None)
    count = min(rows or len(dataset.validation_starts), len(dataset.validation_starts))
    starts = dataset.validation_starts
    end = int(starts[count]) if count < len(starts) else len(dataset.validation) - 1
    tokens_NT, targets_NT = document_rows(dataset.validation[: end + 1], starts[:count], context)
    return HeldOut(tokens_NT, targets_NT, count, float(np.sum(dataset.floor_nats[:count])),
                   dataset.validation_bytes if count == len(starts) else None)


def evaluate(model, params, config: ModelConfig, rows: HeldOut, batch_size: int,
             progress=lambda done, rows: None) -> dict:
    """`held_out` in nats per token; with a floor also nats per document, the floor's, and how far above it we are."""
    tokens_NT, targets_NT = rows.tokens_NT, rows.targets_NT
    nats_N, counts_N = row_nats(model, params, config, tokens_NT, targets_NT, batch_size, progress)
    record = {"held_out": float(nats_N.sum() / counts_N.sum())}
    if rows.text_bytes:
        record["bits_per_byte"] = float(nats_N.sum() / np.log(2) / rows.text_bytes)
    if rows.floor_nats is not None:
        record |= {"nats_per_document": float(nats_N.sum() / rows.documents),
                   "floor_per_document": rows.floor_nats / rows.documents,
                   "above_floor": float(nats_N.sum() / rows.floor_nats - 1)}
    return record


def row_nats(model, params, config: ModelConfig, tokens_NT, targets_NT, batch_size: int,
             progress=lambda done, rows: None):
    """(nats_N, counts_N) in float64: what each row's counted targets cost, and how many they are.

    `progress(done, rows)` is called before each batch.
    """
    tokens_NT, targets_NT = trimmed(tokens_NT, targets_NT)
    batch_size = rows_at_once(config, tokens_NT.shape[1], batch_size, len(tokens_NT))
    nats, counts = [], []
    for i in range(0, len(tokens_NT), batch_size):
        progress(i, len(tokens_NT))
        tokens_BT, targets_BT = tokens_NT[i : i + batch_size], targets_NT[i : i + batch_size]
        # pad, so that one shape is compiled
        short = batch_size - len(tokens_BT)
        tokens_BT = np.pad(tokens_BT, ((0, short), (0, 0)))
        targets_BT = np.pad(targets_BT, ((0, short), (0, 0)), constant_values=IGNORE)
        # a sum that is not finite says it to whoever asked
        with np.errstate(all="ignore"):
            nats_B, counts_B = model.row_losses(params, tokens_BT, targets_BT, config)
        nats.append(np.asarray(nats_B, np.float64)[: batch_size - short])
        counts.append(np.asarray(counts_B)[: batch_size - short])
    return np.concatenate(nats), np.concatenate(counts)


def memory_needed(config: ModelConfig, length: int, parameters: int) -> int:
    """About how many bytes evaluation takes: the parameters, a batch's layer with what is made of
    its scores, a slice of logits with what is made of them."""
    logits = 2 * 4 * min(LOGITS_AT_ONCE, 16 * length * config.vocab_size)
    return parameters + max(AT_ONCE, 2 * row_bytes(config, length)) + logits + BARE
