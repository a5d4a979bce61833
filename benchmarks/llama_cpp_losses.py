"""llama.cpp's loss on rows of ids: the sum of -log p of each row, as JSON. Called by
real_quantization.py.

    python benchmarks/llama_cpp_losses.py MODEL.gguf IDS.npy

The server that xllamacpp wraps gives no logits of a whole text, so its library is called as C is.
"""

import ctypes
import json
import os
import sys
from pathlib import Path

import numpy as np


class Params(ctypes.Structure):
    """llama_model_params or llama_context_params: passed in memory, so it may be larger than they
    are. The first numbers of the second are n_ctx, n_batch, n_ubatch and n_seq_max, then three
    that stay, then n_threads and n_threads_batch (xllamacpp 2026.10)."""

    _fields_ = [("numbers", ctypes.c_int32 * 128)]


class Batch(ctypes.Structure):
    """llama_batch."""

    _fields_ = [("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)),
                ("embd", ctypes.c_void_p), ("pos", ctypes.POINTER(ctypes.c_int32)),
                ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
                ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
                ("logits", ctypes.POINTER(ctypes.c_int8))]


def library():
    """libllama, as xllamacpp holds it, with the types of what is called."""
    import xllamacpp
    llama = ctypes.CDLL(str(next(Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))))
    pointer = ctypes.c_void_p
    for name, result, *arguments in (
            ("model_default_params", Params), ("context_default_params", Params),
            ("model_load_from_file", pointer, ctypes.c_char_p, Params),
            ("init_from_model", pointer, pointer, Params),
            ("get_memory", pointer, pointer), ("memory_clear", None, pointer, ctypes.c_bool),
            ("batch_init", Batch, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32),
            ("decode", ctypes.c_int32, pointer, Batch),
            ("get_logits", ctypes.POINTER(ctypes.c_float), pointer)):
        function = getattr(llama, f"llama_{name}")
        function.restype, function.argtypes = result, arguments
    return llama


def rows_of_logits(path: str, ids_NT):
    """Yields the logits (T, V) of each row."""
    import gguf
    fields = gguf.GGUFReader(path).fields
    vocab = len(fields["tokenizer.ggml.tokens"].data)
    llama, T = library(), ids_NT.shape[1]
    llama.llama_backend_init()
    model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
    params = llama.llama_context_default_params()
    assert params.numbers[:4] == [512, 2048, 512, 1], "llama_context_params has changed"
    params.numbers[:4], params.numbers[7:9] = (T, T, T, 1), (os.cpu_count(), os.cpu_count())
    context, batch = llama.llama_init_from_model(model, params), llama.llama_batch_init(T, 0, 1)
    batch.n_tokens = T
    for ids_T in ids_NT:
        for t, i in enumerate(ids_T):
            batch.token[t], batch.pos[t], batch.n_seq_id[t], batch.logits[t] = i, t, 1, 1
            batch.seq_id[t][0] = 0
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        assert llama.llama_decode(context, batch) == 0
        yield np.ctypeslib.as_array(llama.llama_get_logits(context), (T, vocab)).copy()


if __name__ == "__main__":
    from real_quantization import losses
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                                           # llama.cpp tells much
    ids_NT = np.load(sys.argv[2])
    answers.write(json.dumps([losses(logits_TV, ids_T) for logits_TV, ids_T in
                              zip(rows_of_logits(sys.argv[1], ids_NT), ids_NT)]))
    answers.flush()
    os._exit(0)
