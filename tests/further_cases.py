"""Further cases: folders and files as people have them, and what the reference makes of each.

    python tests/further_cases.py    asks transformers and llama.cpp, writes further_cases.json

A case is a function that writes files into an empty folder, without minillm, and names what is to
be loaded. A probe asks minillm (`ours`) and the reference (`theirs`) the same question. Where the
reference opens no such file either, or in another sense, the case says what minillm's one line has
to tell.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

RESULTS = Path(__file__).with_suffix(".json")
MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
ROWS, TOKENS = 272, [[5, 9, 200, 3]]
TEXT = "the cat sat on the mat. "
CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


@dataclass(frozen=True)
class Case:
    """`about`: what is odd, `here`: what minillm does, `probe`: how both are asked."""

    name: str
    about: str
    here: str
    probe: tuple
    write: Callable


CASES: list[Case] = []


def case(about: str, here: str, *probe):
    """The function below is a case."""

    def add(write):
        CASES.append(Case(write.__name__, about, here, probe, write))
        return write

    return add


# ---- Files ------------------------------------------------------------------------------------


def tensors_of(config: dict) -> dict:
    """Random weights under Hugging Face's names, the same at every call."""
    rng = np.random.default_rng(0)

    def matrix(*shape):
        return (0.2 * rng.standard_normal(shape)).astype(np.float32)

    D, F, V, E = (
        config[name] for name in ("hidden_size", "intermediate_size", "vocab_size", "head_dim")
    )
    H, K = config["num_attention_heads"], config["num_key_value_heads"]
    tensors = {"model.embed_tokens.weight": matrix(V, D), "model.norm.weight": 1 + matrix(D)}
    for i in range(config["num_hidden_layers"]):
        layer = {
            "input_layernorm.weight": 1 + matrix(D),
            "post_attention_layernorm.weight": 1 + matrix(D),
            "self_attn.q_proj.weight": matrix(H * E, D),
            "self_attn.k_proj.weight": matrix(K * E, D),
            "self_attn.v_proj.weight": matrix(K * E, D),
            "self_attn.o_proj.weight": matrix(D, H * E),
            "mlp.gate_proj.weight": matrix(F, D),
            "mlp.up_proj.weight": matrix(F, D),
            "mlp.down_proj.weight": matrix(D, F),
        }
        if config["model_type"] == "qwen2":
            layer |= {
                f"self_attn.{name}_proj.bias": matrix(n * E) for name, n in zip("qkv", (H, K, K))
            }
        if config["model_type"] == "qwen3":
            layer |= {f"self_attn.{name}_norm.weight": 1 + matrix(E) for name in "qk"}
        tensors |= {f"model.layers.{i}.{name}": array for name, array in layer.items()}
    if not config["tie_word_embeddings"]:
        tensors["lm_head.weight"] = matrix(V, D)
    return tensors


KINDS = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}


def folder(path: Path, rename=lambda name: name, change=lambda tensors: tensors, **fields) -> Path:
    """A small model in Hugging Face's format; ... as a field's value leaves it out."""
    path.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "llama",
        "hidden_act": "silu",
        "vocab_size": ROWS,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
    } | fields
    shapes = config | {name: default for name, default in SIZES.items() if config[name] is ...}
    config["architectures"] = [f"{KINDS[config['model_type']]}ForCausalLM"]
    tensors = change({rename(name): array for name, array in tensors_of(shapes).items()})
    save_file(tensors, path / "model.safetensors", {"format": "pt"})
    write(path / "config.json", {name: value for name, value in config.items() if value is not ...})
    tokenizer(path)
    return path


SIZES = {"num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": False}


def tokenizer(path: Path, vocab=(), **about):
    """A byte-level BPE of 264 tokens; `vocab`: further ones that no merge makes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    symbols = [
        *MARKS,
        *sorted(pre_tokenizers.ByteLevel.alphabet()),
        "th",
        "the",
        "Ġthe",
        "at",
        "Ġs",
        *vocab,
    ]
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("a", "t"), ("Ġ", "s")]
    made = Tokenizer(models.BPE({name: i for i, name in enumerate(symbols)}, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(MARKS))
    made.save(str(path / "tokenizer.json"))
    write(
        path / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": MARKS[0], "eos_token": MARKS[0]}
        | about,
    )


def write(path: Path, content):
    """A file of JSON, text or bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))


def edit(path: Path, **changes):
    """Change fields of a file of JSON; ... leaves one out."""
    values = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    write(path, {name: value for name, value in (values | changes).items() if value is not ...})


def gguf_file(
    path: Path,
    names=None,
    kinds=None,
    merges=("t h", "th e", "Ġ the"),
    constant=None,
    marks=(("bos", 0), ("eos", 0)),
    tensors=True,
    kind="model",
) -> Path:
    """A LLaMA as llama.cpp keeps it, random; `constant`: the token that it always writes."""
    import gguf
    from tokenizers import pre_tokenizers

    names = names or [*MARKS, *sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "the", "Ġthe"]
    kinds = kinds or [3] * len(MARKS) + [1] * (len(names) - len(MARKS))
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type(kind)
    D, F, V, E, H, K, L = 32, 64, len(names), 16, 2, 1, 2
    writer.add_context_length(64), writer.add_embedding_length(D), writer.add_block_count(L)
    writer.add_feed_forward_length(F), writer.add_head_count(H), writer.add_head_count_kv(K)
    (
        writer.add_rope_dimension_count(E),
        writer.add_layer_norm_rms_eps(1e-5),
        writer.add_vocab_size(V),
    )
    writer.add_tokenizer_model("gpt2"), writer.add_tokenizer_pre("gpt-2")
    (
        writer.add_token_list(names),
        writer.add_token_types(kinds),
        writer.add_token_merges(list(merges)),
    )
    for role, i in marks:
        getattr(writer, f"add_{role}_token_id")(i)
    writer.add_add_bos_token(False)
    config = {
        "hidden_size": D,
        "intermediate_size": F,
        "vocab_size": V,
        "head_dim": E,
        "num_attention_heads": H,
        "num_key_value_heads": K,
        "num_hidden_layers": L,
        "tie_word_embeddings": False,
        "model_type": "llama",
    }
    weights = tensors_of(config)
    if constant is not None:  # every row begins with a large number, and one output alone reads it
        weights["model.embed_tokens.weight"][:, 0] = 50
        weights["model.norm.weight"][:] = 1
        weights["lm_head.weight"][:] = 0
        weights["lm_head.weight"][constant, 0] = 1
    theirs = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for name, array in weights.items() if tensors else ():
        name = name.removesuffix(".weight").replace("model.layers.", "blk.")
        for old, new in theirs.items():
            name = name.replace(old, new)
        writer.add_tensor(f"{name}.weight", array)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file()
    writer.close()
    return path


# ---- Probes: (ours, theirs) of a question -----------------------------------------------------


def logits():
    """The last row of logits of four tokens, of which the first eight."""

    def ours(path):
        import minillm

        return minillm.load(path).logits(TOKENS)[0, -1, :8].tolist()

    def theirs(path):
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        return model(torch.tensor(TOKENS)).logits[0, -1, :8].tolist()

    return ours, theirs


def ids(text: str):
    """The tokens of a prompt with special tokens in it."""

    def ours(path):
        import minillm

        return minillm.load(path).prompt_ids(text, allow_special=True)

    def theirs(path):
        if str(path).endswith(".gguf"):
            return llama_cpp(path, texts=[text])["ids"][0]
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(path)(text)["input_ids"]

    return ours, theirs


def decoded(numbers: list[int]):
    """The text of tokens."""

    def ours(path):
        import minillm

        return minillm.load(path).tokenizer.decode(numbers)

    def theirs(path):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(path).decode(numbers)

    return ours, theirs


def chat_ids():
    """The tokens of a conversation, by the chat template."""
    messages = [{"role": "user", "content": "the cat"}]

    def ours(path):
        import minillm
        from minillm import chat_template

        model = minillm.load(path)
        text = chat_template.render(model.chat_template, messages, model.marks)
        return model.tokenizer.encode(text, allow_special=True)

    def theirs(path):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(path).apply_chat_template(
            messages, add_generation_prompt=True
        )["input_ids"]

    return ours, theirs


def written(count: int = 5):
    """How many tokens are written after a prompt of one token."""

    def ours(path):
        import minillm
        from minillm.config import GenerateConfig

        model = minillm.load(path)
        how = GenerateConfig(max_new_tokens=count, temperature=0)
        return len(
            [
                i
                for i in model.continuation([5], "numpy", how, ends=model.answer_ends)
                if i not in model.answer_ends
            ]
        )

    def theirs(path):
        if str(path).endswith(".gguf"):
            from minillm.formats.gguf_file import Gguf

            ends = {
                i
                for i, name in enumerate(Gguf(path).fields["tokenizer.ggml.tokens"])
                if name in MARKS + ("<|eot_id|>",)
            }
            return len(
                [
                    i
                    for i in llama_cpp(path, prompts=[[5]], count=count)["written"][0]
                    if i not in ends
                ]
            )
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        out = model.generate(
            torch.tensor([[5]]),
            attention_mask=torch.ones(1, 1),
            max_new_tokens=count,
            do_sample=False,
        )
        return len(out[0]) - 1

    return ours, theirs


def refused(*words: str):
    """The line that it is refused with has these words."""

    def ours(path):
        from minillm.errors import UserError
        from minillm.loading import load

        try:
            model = load(path)
            model.prompt_ids("the cat")
        except UserError as error:
            assert "\n" not in str(error)
            return all(word in str(error) for word in words) or str(error)
        return "nothing is refused"

    def theirs(path):
        if str(path).endswith(".gguf"):
            return "llama.cpp: " + llama_cpp_says(path)
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            AutoModelForCausalLM.from_pretrained(path)
            AutoTokenizer.from_pretrained(path)("the cat")
        except Exception as error:
            return f"transformers: {type(error).__name__}"
        return "transformers opens it"

    return ours, theirs


def llama_cpp(path, texts=(), prompts=(), count=0):
    """What llama.cpp answers about a file, from a process of its own."""
    asked = {
        "path": str(path),
        "texts": list(texts),
        "prompts": list(prompts),
        "count": count,
        "chat": [],
    }
    ask = Path(__file__).parent / "parity" / "ask_llama_cpp.py"
    done = subprocess.run(
        [sys.executable, str(ask)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-800:])
    return json.loads(done.stdout)


def llama_cpp_says(path) -> str:
    try:
        llama_cpp(path, texts=["the cat"])
    except (RuntimeError, ValueError, subprocess.TimeoutExpired):
        return "does not load it"
    return "opens it"


# ---- The cases: tensors -----------------------------------------------------------------------


@case(
    "every tensor's name begins with `_orig_mod.` (saved from `torch.compile`)",
    "the prefix is left out",
    logits,
)
def compiled_prefix(path):
    return folder(path / "odd", lambda name: f"_orig_mod.{name}"), folder(path / "plain")


@case(
    "every tensor's name begins with `module.` (saved from DataParallel)",
    "the prefix is left out",
    logits,
)
def parallel_prefix(path):
    return folder(path / "odd", lambda name: f"module.{name}"), folder(path / "plain")


@case("weights in float64", "read, in the precision asked for", logits)
def double_weights(path):
    return folder(
        path,
        change=lambda tensors: {name: array.astype(np.float64) for name, array in tensors.items()},
    )


@case(
    "rotary tables beside the weights (`rotary_emb.cos_cached`, `sin_cached`)",
    "left out: config.json decides",
    logits,
)
def rotary_tables(path):
    table = {
        f"model.layers.{i}.self_attn.rotary_emb.{name}_cached": np.ones((1, 1, 64, 16), np.float32)
        for i in range(2)
        for name in ("cos", "sin")
    }
    return folder(path, change=lambda tensors: tensors | table)


@case("a value head beside the language model (`v_head.`, TRL's PPO)", "left out", logits)
def value_head(path):
    return folder(
        path,
        change=lambda tensors: (
            tensors
            | {
                "v_head.summary.weight": np.ones((1, 32), np.float32),
                "v_head.summary.bias": np.ones(1, np.float32),
            }
        ),
    )


@case(
    "counters in int64 beside the weights", "left out where they are buffers of attention", logits
)
def whole_numbers(path):
    more = {f"model.layers.{i}.self_attn.rotary_emb.position_ids": np.arange(64) for i in range(2)}
    return folder(path, change=lambda tensors: tensors | more)


@case(
    "head and embedding differ, `config.json` ties them",
    "refused: which is meant is not known",
    refused,
    "tie_word_embeddings",
)
def tied_in_name_alone(path):
    return folder(
        path, change=lambda tensors: tensors | {"lm_head.weight": np.ones((ROWS, 32), np.float32)}
    )


@case(
    "one file `model-00001-of-00001.safetensors`, no index",
    "refused, and says what to rename",
    refused,
    "model-00001-of-00001.safetensors",
    "rename",
)
def lone_shard(path):
    folder(path)
    (path / "model.safetensors").rename(path / "model-00001-of-00001.safetensors")
    return path


@case(
    "shards without their index",
    "refused, and says what is missing",
    refused,
    "model.safetensors.index.json",
    "2 ",
)
def shards_without_index(path):
    folder(path)
    for i in (1, 2):
        shutil.copy(path / "model.safetensors", path / f"model-0000{i}-of-00002.safetensors")
    (path / "model.safetensors").unlink()
    return path


@case(
    "a shard that was not downloaded",
    "refused, and says that the download is not complete",
    refused,
    "model-00002-of-00002.safetensors",
    "download",
)
def missing_shard(path):
    folder(path)
    (path / "model.safetensors").rename(path / "model-00001-of-00002.safetensors")
    write(
        path / "model.safetensors.index.json",
        {
            "weight_map": {
                "model.norm.weight": "model-00001-of-00002.safetensors",
                "a": "model-00002-of-00002.safetensors",
            }
        },
    )
    return path


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 269060552\n"
PAGE = '<!doctype html>\n<html class=""><head><title>model.safetensors</title></head></html>\n' * 20


@case(
    "`model.safetensors` is a pointer of Git LFS",
    "refused, and says what to type",
    refused,
    "git lfs pull",
)
def pointer_for_weights(path):
    folder(path)
    write(path / "model.safetensors", POINTER)
    return path


@case(
    "`tokenizer.json` is a pointer of Git LFS",
    "refused, and says what to type",
    refused,
    "git lfs pull",
)
def pointer_for_tokenizer(path):
    folder(path)
    write(path / "tokenizer.json", POINTER)
    return path


@case(
    "a `.gguf` file that is a pointer of Git LFS",
    "refused, and says what to type",
    refused,
    "git lfs pull",
)
def pointer_for_gguf(path):
    write(path / "m.gguf", POINTER)
    return path / "m.gguf"


@case(
    "`model.safetensors` is a web page (saved from the browser's view of it)",
    "refused, and says so",
    refused,
    "web page",
)
def page_for_weights(path):
    folder(path)
    write(path / "model.safetensors", PAGE)
    return path


@case("a `.gguf` file that is a web page", "refused, and says so", refused, "web page")
def page_for_gguf(path):
    write(path / "m.gguf", PAGE)
    return path / "m.gguf"


# ---- The cases: what is given as PATH ---------------------------------------------------------


@case(
    "an adapter beside the `config.json` of its base, no weights",
    "refused, and says how to merge it",
    refused,
    "adapter",
    "merge_and_unload",
)
def adapter_with_config(path):
    folder(path)
    (path / "model.safetensors").rename(path / "adapter_model.safetensors")
    write(path / "adapter_config.json", {"base_model_name_or_path": "a/b", "peft_type": "LORA"})
    return path


@case("a zip of a model's folder", "refused, and says to unpack it", refused, "unpack")
def zipped(path):
    folder(path / "m")
    with zipfile.ZipFile(path / "m.zip", "w") as archive:
        for file in sorted((path / "m").iterdir()):
            archive.write(file, f"m/{file.name}")
    return path / "m.zip"


@case(
    "a file of llama.cpp from before GGUF (`ggjt`)",
    "refused by name, and says what to take",
    refused,
    "GGUF",
)
def before_gguf(path):
    write(path / "ggml-model-q4_0.bin", b"tjgg" + bytes([3, 0, 0, 0]) + bytes(64))
    return path / "ggml-model-q4_0.bin"


@case(
    "the hub's cache folder `models--OWNER--NAME`",
    "refused, and names the snapshot inside",
    refused,
    "snapshots",
)
def cache_of_the_hub(path):
    folder(path / "models--a--b" / "snapshots" / "0123abcd")
    return path / "models--a--b"


@case(
    "the address of a model's page",
    "refused, and says what to type",
    refused,
    "minillm get HuggingFaceTB/SmolLM2-135M",
)
def address(path):
    return "https://huggingface.co/HuggingFaceTB/SmolLM2-135M"


@case(
    "Mistral's own format (`consolidated.safetensors`, `params.json`)",
    "refused by name",
    refused,
    "params.json",
)
def mistrals_own(path):
    write(path / "params.json", {"dim": 32, "n_layers": 2})
    write(path / "consolidated.safetensors", b"")
    return path


# ---- The cases: config.json -------------------------------------------------------------------


@case(
    "`bos_token_id` and `eos_token_id` are -1",
    "no such token: nothing begins or ends a text",
    logits,
)
def marks_of_minus_one(path):
    return folder(path, bos_token_id=-1, eos_token_id=-1, pad_token_id=-1)


@case(
    "`eos_token_id` is beyond the vocabulary (a vocabulary cut down)",
    "the model never writes it, so nothing ends a text",
    written,
)
def end_beyond_the_vocabulary(path):
    return folder(path, eos_token_id=151645)


@case(
    "an end token of `generation_config.json` is beyond the vocabulary",
    "that one is left out, the others count",
    written,
)
def generation_end_beyond(path):
    folder(path)
    write(path / "generation_config.json", {"eos_token_id": [0, 151645]})
    return path


@case(
    "a Qwen2 whose window begins at a layer that it does not have",
    "no layer has the window: read",
    logits,
)
def window_of_no_layer(path):
    return folder(
        path, model_type="qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=2
    )


@case(
    "a Mistral's `config.json` that names sizes only",
    "what transformers takes where it is silent",
    logits,
)
def bare_mistral(path):
    return folder(
        path,
        model_type="mistral",
        rms_norm_eps=...,
        rope_theta=...,
        tie_word_embeddings=...,
        sliding_window=None,
        head_dim=...,
        bos_token_id=...,
        eos_token_id=...,
    )


@case(
    "a Qwen3's `config.json` without rope_theta and eps",
    "what transformers takes where it is silent",
    logits,
)
def bare_qwen3(path):
    return folder(
        path,
        model_type="qwen3",
        rms_norm_eps=...,
        rope_theta=...,
        bos_token_id=...,
        eos_token_id=...,
    )


@case(
    "`rope_theta` outside and another one inside `rope_parameters`",
    "the inner one, as transformers 5",
    logits,
)
def two_thetas(path):
    return folder(
        path, rope_theta=10000.0, rope_parameters={"rope_type": "default", "rope_theta": 500.0}
    )


@case("`rope_scaling` asks for type linear by the old name `type`", "read", logits)
def old_linear(path):
    return folder(path, rope_scaling={"type": "linear", "factor": 4.0})


@case("`config.json` begins with a byte order mark (Windows editors)", "read", logits)
def byte_order_mark(path):
    folder(path / "plain"), folder(path / "odd")
    write(
        path / "odd" / "config.json", b"\xef\xbb\xbf" + (path / "odd" / "config.json").read_bytes()
    )
    return path / "odd", path / "plain"


# ---- The cases: tokens ------------------------------------------------------------------------

ADDED = {
    "content": "<|tool|>",
    "lstrip": False,
    "normalized": False,
    "rstrip": False,
    "single_word": False,
    "special": True,
}


@case(
    "a token that `tokenizer_config.json` alone adds (`added_tokens_decoder`)",
    "added, as transformers does",
    ids,
    "the<|tool|>cat",
)
def decoder_of_added_tokens(path):
    folder(path)
    edit(path / "tokenizer_config.json", added_tokens_decoder={"264": ADDED})
    return path


@case(
    "a token that `added_tokens.json` alone adds",
    "added, as transformers does",
    ids,
    "the<|tool|>cat",
)
def file_of_added_tokens(path):
    folder(path)
    write(path / "added_tokens.json", {"<|tool|>": 264})
    return path


@case(
    "`eos_token` is a token of the vocabulary that `tokenizer.json` does not call special",
    "special, as in transformers",
    ids,
    "the<|eot|>cat",
)
def end_token_made_special(path):
    folder(path)
    tokenizer(path, ["<|eot|>"], eos_token="<|eot|>")
    return path


@case(
    "`additional_special_tokens` in `special_tokens_map.json` names such a token",
    "special, as in transformers",
    ids,
    "the<|user|>cat",
)
def additional_special_tokens(path):
    folder(path)
    tokenizer(path, ["<|user|>"])
    write(
        path / "special_tokens_map.json",
        {"additional_special_tokens": ["<|user|>"], "bos_token": MARKS[0]},
    )
    return path


@case(
    "a special token takes the spaces beside it (`lstrip`, `rstrip`)",
    "as transformers does",
    ids,
    "the <|im_end|>  cat",
)
def token_that_strips(path):
    folder(path)
    spec = json.loads((path / "tokenizer.json").read_text("utf-8"))
    spec["added_tokens"][2] |= {"lstrip": True, "rstrip": True}
    write(path / "tokenizer.json", spec)
    return path


@case(
    "an added token with an id far above the others, within the embedding",
    "read",
    ids,
    "the<|far|>cat",
)
def token_far_above(path):
    folder(path, vocab_size=1024)
    spec = json.loads((path / "tokenizer.json").read_text("utf-8"))
    spec["added_tokens"].append(ADDED | {"id": 1000, "content": "<|far|>"})
    write(path / "tokenizer.json", spec)
    return path


@case(
    "only `vocab.json` and `merges.txt`, no `tokenizer.json`",
    "opens; a text is refused, with the way out",
    refused,
    "vocab.json",
    "save_pretrained",
)
def vocab_and_merges(path):
    folder(path)
    spec = json.loads((path / "tokenizer.json").read_text("utf-8"))
    write(path / "vocab.json", spec["model"]["vocab"])
    write(path / "merges.txt", "#version: 0.2\nt h\nth e\n")
    (path / "tokenizer.json").unlink()
    return path


@case(
    "a tokenizer that puts one token before a text and another after it",
    "the one before alone: the model goes on from the text",
    ids,
    "the cat",
)
def begin_and_end(path):
    folder(path / "odd"), folder(path / "plain")
    mark = {"SpecialToken": {"id": MARKS[0], "type_id": 0}}
    end = {"SpecialToken": {"id": MARKS[2], "type_id": 0}}
    for place, after in (("odd", [end]), ("plain", [])):
        spec = json.loads((path / place / "tokenizer.json").read_text("utf-8"))
        spec["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [mark, {"Sequence": {"id": "A", "type_id": 0}}, *after],
            "pair": [
                mark,
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {
                name: {"id": name, "ids": [i], "tokens": [name]} for i, name in enumerate(MARKS)
            },
        }
        write(path / place / "tokenizer.json", spec)
    return path / "odd", path / "plain"


@case(
    "the template writes the token that the tokenizer also puts before a text",
    "once, as transformers does",
    chat_ids,
)
def begun_twice(path):
    begin_and_end(path)
    edit(path / "plain" / "tokenizer_config.json", chat_template="{{ bos_token }}" + CHAT)
    return path / "plain"


@case(
    "`chat_template.jinja` beside another template in `tokenizer_config.json`",
    "the file goes first",
    chat_ids,
)
def two_templates(path):
    folder(path)
    edit(path / "tokenizer_config.json", chat_template="{{ 1 }}")
    write(path / "chat_template.jinja", CHAT)
    return path


# ---- The cases: GGUF --------------------------------------------------------------------------


@case(
    "a GGUF file in parts (`-00001-of-00002.gguf`)",
    "refused, and says how to join them",
    refused,
    "gguf-split --merge",
)
def gguf_in_parts(path):
    import gguf

    for i in range(2):
        writer = gguf.GGUFWriter(path / f"m-0000{i + 1}-of-00002.gguf", "llama")
        (
            writer.add_uint16("split.no", i),
            writer.add_uint16("split.count", 2),
            writer.add_int32("split.tensors.count", 2),
        )
        writer.add_tensor(f"blk.{i}.attn_norm.weight", np.ones(32, np.float32))
        (
            writer.write_header_to_file(),
            writer.write_kv_data_to_file(),
            writer.write_tensors_to_file(),
        )
        writer.close()
    return path / "m-00001-of-00002.gguf"


@case("an adapter in a GGUF file", "refused by name", refused, "adapter")
def gguf_adapter(path):
    return gguf_file(path / "m.gguf", kind="adapter", tensors=False)


@case(
    "a vocabulary alone in a GGUF file (llama.cpp's `ggml-vocab-*.gguf`)",
    "refused by name",
    refused,
    "vocabulary alone",
)
def gguf_vocabulary(path):
    return gguf_file(path / "m.gguf", tensors=False)


@case("a GGUF file with a token that is empty", "that id stands for no text", ids, "the cat")
def gguf_empty_token(path):
    from tokenizers import pre_tokenizers

    return gguf_file(
        path / "m.gguf",
        [*MARKS, *sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "the", "Ġthe", ""],
    )


@case(
    "a GGUF file whose metadata do not name the token that ends a turn",
    "known by its text, as in llama.cpp",
    written,
)
def gguf_end_of_turn(path):
    return gguf_file(path / "m.gguf", constant=2)


# ---- Asking -----------------------------------------------------------------------------------


def asked(case: Case, place: Path):
    """(minillm's path, the reference's, ours, theirs) of a case written into a folder."""
    found = case.write(place)
    odd, plain = found if isinstance(found, tuple) else (found, found)
    probe, *options = case.probe
    return odd, plain, *probe(*options)


def same(ours, theirs) -> bool:
    """Equal, numbers with a point to 1e-4 of the largest."""
    if isinstance(theirs, list) and theirs and isinstance(theirs[0], float):
        return (
            isinstance(ours, list)
            and np.abs(np.subtract(ours, theirs)).max() <= 1e-4 * np.abs(theirs).max()
        )
    return ours == theirs


def ask_references():
    """Write further_cases.json: of each case what the reference gives, and its version."""
    from importlib.metadata import version

    rows = {}
    for each in CASES:
        with tempfile.TemporaryDirectory() as place:
            odd, plain, ours, theirs = asked(each, Path(place))
            llama = str(plain).endswith(".gguf")
            names = ("xllamacpp",) if llama else ("transformers", "tokenizers")
            value = theirs(plain)
            rows[each.name] = {
                "about": each.about,
                "here": each.here,
                "right": value,
                "reference": ", ".join(f"{name} {version(name)}" for name in names),
            }
            try:
                got = ours(odd)
            except Exception as error:
                got = f"{type(error).__name__}: {error}"
            right = got is True if each.probe[0] is refused else same(got, value)
            print(
                f"{'ok   ' if right else 'WRONG'} {each.name:28} {'' if right else got} | {value}"
            )
    RESULTS.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    ask_references()
