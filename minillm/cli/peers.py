"""Other programs that `minillm bench` measures beside the twins, with the same weights.

What they read is written first; each then runs in a process of its own, so that its memory is its.
"""

import importlib.util
import json
import os
import time
import urllib.request
from itertools import product
from pathlib import Path

from minillm.cli import llama2c
from minillm.cli.forms import bytes_a_token, peak_memory, scheme_of_form
from minillm.errors import UserError

FORMS = {"llama.cpp": ("float32", "int8-group32", "int4-group32", "int4-group32-min"),
         "transformers": ("float32", "float16", "bfloat16"),
         "llama2.c": tuple(llama2c.PROGRAMS)}
PACKAGES = {"llama.cpp": ("xllamacpp", "gguf"), "transformers": ("torch", "transformers")}


def taking_part(options) -> list[str]:
    """The peers that the options name. Raises UserError where one is not installed or has none of
    the forms."""
    peers = [*options.peers, *(["llama2.c"] if options.llama2c else [])]
    for peer in peers:
        for package in PACKAGES.get(peer, ()):
            if importlib.util.find_spec(package) is None:
                raise UserError(f"--peers {peer} needs the package {package}, which is not "
                                f"installed: pip install {package}")
        if not set(FORMS[peer]) & set(options.forms):
            raise UserError(f"{peer} has other --forms: {', '.join(FORMS[peer])}")
    return peers


def prepared(options, folder) -> dict:
    """{(peer, form): (path, bytes that a token is multiplied with, size of the vocabulary, what
    START takes beside)}: the model written to `folder` as each peer reads it. Raises UserError."""
    from dataclasses import replace

    from minillm.formats import checkpoint, gguf
    from minillm.loading import load
    from minillm.quantization.model import quantize_model

    places = {}
    for peer, form in product(taking_part(options), options.forms):
        if form not in FORMS[peer]:
            continue
        scheme, out = scheme_of_form(form), Path(folder) / f"{peer}-{form}.gguf"
        more = [str(llama2c.program(options.llama2c, form))] if peer == "llama2.c" else []
        model = load(options.path, options.tokenizer, form if scheme is None else "float32")
        if scheme is not None:
            model = replace(model, params=quantize_model(model.params, model.config, scheme))
        if peer == "transformers":
            checkpoint.save_model(out, model.config, model.params, dtype=form)
        elif peer == "llama2.c":
            try:
                llama2c.prepare(out, model.config, model.params)
            except UserError as error:
                raise UserError(f"{options.path}: {error}") from None
        elif model.tokenizer is None:
            raise UserError(f"{options.path}: has no tokenizer, which --peers llama.cpp reads too: "
                            "give --tokenizer, or leave llama.cpp out")
        else:
            gguf.export(out, model)
        places[peer, form] = str(out), bytes_a_token(model.params), model.config.vocab_size, *more
    return places


def transformers(folder, form: str, room: int):
    """Hugging Face's model: (a function from ids and N to the seconds of reading, of writing N;
    one to the most memory so far)."""
    import torch
    from transformers import AutoModelForCausalLM, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, form)).eval()

    @torch.no_grad()
    def turn(prompt, count):
        began = time.perf_counter()
        out = model(torch.tensor([prompt]), use_cache=True, logits_to_keep=1)
        token, first = out.logits[:, -1:].argmax(-1), time.perf_counter()
        for _ in range(count):
            out = model(token, past_key_values=out.past_key_values, use_cache=True)
            token = out.logits[:, -1:].argmax(-1)
        return first - began, time.perf_counter() - first

    return turn, peak_memory


def llama_cpp(path, form: str, room: int):
    """llama.cpp's server, which xllamacpp starts: as `transformers`; the seconds are its own."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.warmup = str(path), room, 1, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count()
    server = xllamacpp.Server(params)

    def turn(prompt, count):
        asked = {"prompt": prompt, "temperature": 0, "n_predict": count, "cache_prompt": False,
                 "ignore_eos": True}
        request = urllib.request.Request(
            f"{server.listening_address}/completion", json.dumps(asked).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            times = json.loads(answer.read())["timings"]
        return times["prompt_ms"] / 1000, times["predicted_ms"] / 1000

    return turn, peak_memory


START = {"transformers": transformers, "llama.cpp": llama_cpp, "llama2.c": llama2c.llama2_c}


def answers_of(place, peer: str, form: str, prompt_tokens: int, new_tokens: int) -> dict:
    """As bench.answers_of, for a peer and its place in `prepared`."""
    import numpy as np

    (path, size, vocabulary, *more), began = place, time.perf_counter()
    turn_of, memory = START[peer](Path(path), form, prompt_tokens + new_tokens + 8, *more)
    rng = np.random.default_rng(0)

    def turn():
        return turn_of(rng.integers(3, vocabulary, prompt_tokens).tolist(), new_tokens)

    def start() -> dict:
        first = time.perf_counter() - began + turn()[0]
        turn()                                              # a second time, as for the twins
        return {"twin": peer, "form": form, "first_token_seconds": first, "bytes": size}

    return {"start": start, "turn": turn, "memory": memory}
