"""Make the golden files: random small LLaMAs, their outputs and gradients, by the reference implementation.

    make golden            # needs torch and transformers; minillm itself is not used here

Each file holds the weights under Hugging Face's names, `tokens`, `targets` (-100: not counted), `logits`, `loss` and
`grad.<name>` for every weight, all by `transformers.LlamaForCausalLM` in float32 on a CPU. Its metadata has one entry,
"golden": JSON with the config as transformers writes it and the versions that were used. Seeds are fixed; the last
digits of outputs and gradients may differ from machine to machine.
"""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

FOLDER = Path(__file__).parent
WRITTEN = ("model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
           "num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "hidden_act", "attention_bias",
           "mlp_bias", "tie_word_embeddings", "initializer_range", "bos_token_id", "eos_token_id",
           "rope_theta", "rope_scaling", "rope_parameters")       # of these three transformers 4 has two, 5 has one

# layers, hidden, heads, key/value heads, head_dim, feed-forward, vocabulary, theta, eps, tied
MODELS = (
    (1, 12, 2, 2, 6, 20, 17, 1e4, 1e-5, True),         # plain multi-head attention, hidden = heads * head_dim
    (1, 16, 4, 2, 4, 24, 19, 1e3, 1e-6, False),
    (2, 16, 4, 1, 4, 24, 23, 1e6, 1e-3, True),         # one key/value head for all
    (2, 24, 4, 2, 8, 16, 13, 5e5, 1e-5, False),        # head_dim wider than hidden / heads from here on
    (3, 8, 4, 4, 6, 12, 29, 1e3, 1e-4, True),
    (3, 10, 2, 1, 10, 14, 11, 1e4, 1e-6, False),
    (1, 24, 8, 2, 2, 20, 31, 3e4, 1e-4, True),         # and narrower, four queries a key
    (2, 16, 8, 2, 4, 10, 21, 2e3, 1e-3, False),
    (3, 12, 4, 2, 2, 18, 27, 1e5, 1e-5, True),
    (2, 18, 3, 3, 8, 22, 15, 1e6, 1e-6, False),
    (3, 16, 4, 1, 6, 12, 14, 2e5, 1e-6, True),
    (2, 20, 10, 5, 4, 16, 9, 5e3, 1e-5, False),
)


def model_of(rng, layers, hidden, heads, kv_heads, head_dim, feed_forward, vocabulary, theta, eps, tied):
    """A LLaMA with weights so large that attention is far from uniform, and norms that are not ones."""
    config = transformers.LlamaConfig(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=feed_forward, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=head_dim, max_position_embeddings=32,
        rms_norm_eps=eps, rope_theta=theta, tie_word_embeddings=tied, bos_token_id=0, eos_token_id=0,
        attn_implementation="eager")
    model = transformers.LlamaForCausalLM(config).float().train()      # no dropout: train() changes no number
    for name, weight in model.named_parameters():
        if weight.ndim == 1:
            random = 1 + 0.4 * rng.standard_normal(weight.shape)
        else:                                                          # embeddings small enough for eps to matter
            random = (0.1 if "embed" in name else 0.3) * rng.standard_normal(weight.shape)
        weight.data = torch.tensor(random, dtype=torch.float32)
    model.tie_weights()
    return model


def golden(seed: int, shape: tuple) -> dict:
    """Write one file; returns what is in it."""
    rng = np.random.default_rng(seed)
    model = model_of(rng, *shape)
    batch, length = int(rng.integers(1, 4)), int(rng.integers(6, 12))
    tokens = torch.tensor(rng.integers(0, model.config.vocab_size, (batch, length)))
    targets = torch.tensor(rng.integers(0, model.config.vocab_size, (batch, length)))
    targets[torch.tensor(rng.random((batch, length)) < 0.2)] = -100
    targets[0, 0] = -100
    output = model(tokens, output_attentions=True)
    loss = cross_entropy(output.logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
    loss.backward()
    tensors = {"tokens": tokens.int(), "targets": targets.int(), "logits": output.logits.detach(), "loss": loss.detach()}
    for name, weight in model.named_parameters():
        tensors |= {name: weight.detach(), f"grad.{name}": weight.grad}
    config = {name: value for name, value in model.config.to_dict().items() if name in WRITTEN}
    made = {"config": config, "transformers": transformers.__version__, "torch": torch.__version__, "seed": seed}
    path = FOLDER / f"llama_{seed:02d}.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path,
              metadata={"golden": json.dumps(made)})
    sharpest = torch.stack(output.attentions)[..., length // 2 :, :].amax(-1).mean()
    print(f"{path.name}: {path.stat().st_size} bytes, loss {loss:.4f}, logits up to {output.logits.abs().max():.2f}, "
          f"largest attention weight {sharpest:.2f} on average (uniform: about {1.33 / length:.2f})")
    return tensors


if __name__ == "__main__":
    for old in FOLDER.glob("*.safetensors"):
        old.unlink()
    for seed, shape in enumerate(MODELS):
        golden(seed, shape)
