"""The same LLaMA in PyTorch, as fast as PyTorch makes it: the yardstick of training_speed.py. Not part of minillm.

Same parameters, same arithmetic, float32: fused scaled_dot_product_attention, torch.compile, fused AdamW.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        D, Fw = config.hidden_size, config.intermediate_size
        H, K, E = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        self.attn_norm, self.mlp_norm = nn.RMSNorm(D, config.rms_norm_eps), nn.RMSNorm(D, config.rms_norm_eps)
        self.q, self.k, self.v = (nn.Linear(D, n * E, bias=False) for n in (H, K, K))
        self.o = nn.Linear(H * E, D, bias=False)
        self.gate, self.up, self.down = (nn.Linear(*shape, bias=False) for shape in ((D, Fw), (D, Fw), (Fw, D)))

    def forward(self, x, cos, sin):
        B, T, _ = x.shape
        c, h = self.config, self.attn_norm(x)
        q = turn(self.q(h).view(B, T, c.num_attention_heads, c.head_dim).transpose(1, 2), cos, sin)
        k = turn(self.k(h).view(B, T, c.num_key_value_heads, c.head_dim).transpose(1, 2), cos, sin)
        v = self.v(h).view(B, T, c.num_key_value_heads, c.head_dim).transpose(1, 2)
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=c.queries_per_key > 1)
        x = x + self.o(z.transpose(1, 2).reshape(B, T, -1))
        h = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def turn(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.head.weight = self.embed.weight
        for p in self.parameters():
            if p.ndim == 2:
                nn.init.normal_(p, std=config.initializer_range)
        frequency = config.rope_theta ** (-torch.arange(0, config.head_dim, 2) / config.head_dim)
        angle = torch.arange(config.max_position_embeddings)[:, None] * frequency
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, tokens, targets):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


def stepper(config, train):
    """A function (tokens_NBT, targets_NBT) -> loss that takes N steps with the compiled model."""
    model = Llama(config)
    compiled = torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=train.learning_rate, betas=(train.beta1, train.beta2),
                                  weight_decay=train.weight_decay, fused=True)

    def steps(tokens_NBT, targets_NBT):
        for tokens, targets in zip(torch.from_numpy(tokens_NBT).long(), torch.from_numpy(targets_NBT).long()):
            loss = compiled(tokens, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), train.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return steps
