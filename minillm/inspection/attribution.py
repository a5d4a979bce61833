"""Direct logit attribution: a logit as a sum over all parts that write to the residual stream.

The last residual stream is exactly embedding + heads + biases + MLPs. The final norm multiplies it
by numbers that are recorded and then held fixed, and the head is linear. So a logit is the sum of
the parts' contributions (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits").
Only the direct path counts: what a part does through later layers does not appear here.
"""

from dataclasses import dataclass

import numpy as np

from minillm.architecture.family import family
from minillm.errors import UserError
from minillm.inspection.dispatch import as_read, each_text, head_matrix, matrix, norm, prompt_tokens
from minillm.inspection.record import run
from minillm.inspection.shown import Result
from minillm.loading import Model


@dataclass(frozen=True)
class Attribution(Result):
    """What each part adds to the logit of one token at each position; together they are `logit_T`.

    `bias_TL` is for the bias of each layer's o_proj, `norm_T` for that of a BLOOM's final norm
    (and what rounding adds where the head rounds its inputs to integers); 0 if there is none.
    """

    token_T: np.ndarray
    embed_T: np.ndarray
    head_TLH: np.ndarray
    bias_TL: np.ndarray
    mlp_TL: np.ndarray
    norm_T: np.ndarray
    logit_T: np.ndarray

    @property
    def total_T(self) -> np.ndarray:
        """The sum of all parts."""
        return (self.embed_T + self.head_TLH.sum((1, 2)) + self.bias_TL.sum(1) + self.mlp_TL.sum(1)
                + self.norm_T)


@each_text
def attribute_logits(model: Model, prompt, token_T=None, against_mean: bool = False,
                     seen: dict | None = None, twin: str = "jax", rival_T=None) -> Attribution:
    """The parts of the logit of `token_T` at each position; with `rival_T`, of its lead over that
    token's logit.

    `token_T` is by default the text's next token, and at the end the most probable one. With
    `against_mean`, the mean logit of the vocabulary is subtracted: the difference makes a token
    more probable. `seen` is a record of the prompt, if you have one.
    """
    tokens_BT = prompt_tokens(model, prompt)
    seen = (seen or run(model, tokens_BT, [*first(model.config), "*.z", "*.mlp_out",
                                           "layers.*.resid_post", "logits"], (), twin)[1])
    logits_TV = seen["logits"][0]
    token_T = (np.append(tokens_BT[0, 1:], np.argmax(logits_TV[-1])) if token_T is None
               else np.asarray(token_T))
    L, positions = model.config.num_hidden_layers, np.arange(len(token_T))
    head_DV = head_matrix(model)
    other_TD = (head_DV.mean(1) if against_mean else 0 if rival_T is None
                else head_DV[:, np.asarray(rival_T)].T)
    direction_TD, norm_T = through_norm(model, seen[f"layers.{L - 1}.resid_post"][0],
                                        head_DV[:, token_T].T - other_TD)
    norm_T = norm_T + rounding(model, seen[f"layers.{L - 1}.resid_post"][0],
                               head_DV[:, token_T].T - other_TD)
    other_T = (logits_TV.mean(1) if against_mean else 0 if rival_T is None
               else logits_TV[positions, rival_T])
    return Attribution(
        token_T=token_T, embed_T=np.sum(seen[first(model.config)[-1]][0] * direction_TD, -1),
        norm_T=norm_T, head_TLH=np.stack([np.einsum("htd,td->th", head_outputs(model, seen, i),
                                                    direction_TD) for i in range(L)], 1),
        bias_TL=np.stack([direction_TD @ bias(model, i) for i in range(L)], 1), mlp_TL=np.stack(
            [np.sum(seen[f"layers.{i}.mlp_out"][0] * direction_TD, -1) for i in range(L)], 1),
        logit_T=logits_TV[positions, token_T] - other_T)


def rounding(model: Model, last_TD, direction_TD):
    """What is added where the head rounds its inputs to integers: 0 in any other model. (T,)"""
    weight = (model.params["lm_head"] if "lm_head" in model.params
              else model.params["embed_tokens"].T)
    read_TD = np.asarray(norm("numpy", model.params, last_TD, model.config))
    return np.sum((as_read(weight, read_TD) - read_TD) * direction_TD, -1)


def first(config) -> tuple[str, ...]:
    """The start of the residual stream: the embedding, after its norm in a BLOOM."""
    return family(config).embedding_taps[-1:]


def through_norm(model: Model, last_TD, direction_TD):
    """(direction_TD, norm_T): a logit is the product of the stream and the direction, plus norm_T.

    norm_T comes from the norm's bias. `last_TD` sets the scale of the norm. A LayerNorm subtracts
    the mean, which is linear too: it removes the mean from the direction.
    """
    params, config = model.params, model.config
    weighted_TD = direction_TD * matrix(params["norm"])
    if family(config).norm_subtracts_mean:
        scale_T1 = 1 / np.sqrt(np.var(last_TD, axis=-1, keepdims=True) + config.layer_norm_epsilon)
        return scale_T1 * (weighted_TD - weighted_TD.mean(
                               -1, keepdims=True)), direction_TD @ matrix(params["norm_bias"])
    scale_T1 = 1 / np.sqrt(np.mean(last_TD * last_TD, axis=-1, keepdims=True) + config.rms_norm_eps)
    return scale_T1 * weighted_TD, np.zeros(len(last_TD), last_TD.dtype)


def head_outputs(model: Model, seen: dict, i: int) -> np.ndarray:
    """The output of each head of layer i to the residual stream: (H, T, D)."""
    z_BKGTE = seen[f"layers.{i}.z"]
    if len(z_BKGTE) > 1:
        raise UserError(f"the record is of {len(z_BKGTE)} texts: take one of them apart at a time")
    z_HTE, o_proj = z_BKGTE[0].reshape(-1, *z_BKGTE.shape[-2:]), model.params["layers"][i]["o_proj"]
    H, T, E = z_HTE.shape
    z_HTE = (as_read(o_proj, z_HTE.transpose(1, 0, 2).reshape(T, H * E)).reshape(T, H, E).transpose(
                 1, 0, 2))
    return z_HTE @ matrix(o_proj).reshape(H, E, -1)


def bias(model: Model, i: int) -> np.ndarray:
    """What layer i's attention adds wherever it looks: the bias of o_proj, or zeros. (D,)"""
    found = model.params["layers"][i].get("o_bias")
    return np.zeros(model.config.hidden_size, np.float32) if found is None else matrix(found)


def parts_of_stream(model: Model, seen: dict) -> np.ndarray:
    """The sum of embedding, heads, biases and MLPs: (T, D). It must equal the last resid_post."""
    total_TD = seen[first(model.config)[-1]][0].copy()
    for i in range(model.config.num_hidden_layers):
        total_TD += (head_outputs(model, seen, i).sum(0) + bias(model, i)
                     + seen[f"layers.{i}.mlp_out"][0])
    return total_TD
