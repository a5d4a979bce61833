"""The derivative of a score with respect to activations: by JAX, or by hand in NumPy."""

import numpy as np

from minillm.architecture.family import family
from minillm.errors import UserError
from minillm.inspection.dispatch import matrix
from minillm.inspection.record import ended, run
from minillm.loading import Model
from minillm.text.lengths import room_for


def gradients(model: Model, tokens_BT, target, names: tuple[str, ...],
              twin: str) -> dict[str, np.ndarray]:
    """d score / d activations of a target. Raises UserError where NumPy has no backward pass."""
    if twin == "jax":
        from minillm.inspection import compiled

        rival, (B, T) = -1 if target.rival is None else target.rival, tokens_BT.shape
        tokens_BT = np.pad(tokens_BT, ((0, 0), (0, room_for(T, model.config) - T)))
        found = compiled.gradients(model.params, tokens_BT, target.position % T, target.token,
                                   rival, model.config, names)
        return {name: ended(found[name], name, [T] * B) for name in names}
    if not family(model.config).backward_by_hand:
        raise UserError(
            f"gradients of a {family(model.config).name} need the jax twin: NumPy has no backward pass for it"
        )
    if hasattr(model.params["layers"][0]["o_proj"], "scheme"):
        raise UserError(
            "gradients of a quantized model need the jax twin: NumPy's backward is for float matrices"
        )
    return gradients_by_hand(model, tokens_BT, target, names)


def gradients_by_hand(model: Model, tokens_BT, target, names) -> dict[str, np.ndarray]:
    """`gradients` in NumPy, by the backward functions: `loss_and_grads` as far as activations."""
    from minillm.in_numpy.model import block_backward, mlp_backward, unembedding
    from minillm.in_numpy.ops import (
        attend_backward,
        linear_backward,
        rmsnorm_backward,
        rope_backward,
        rotation,
    )

    params, config, T = model.params, model.config, tokens_BT.shape[1]
    logits_BTV, seen = run(model, tokens_BT, "*", (), "numpy")
    cos_sin = rotation(np.arange(T), config, T, params["norm"].dtype)
    dlogits_BTV = np.zeros_like(logits_BTV)
    dlogits_BTV[0, target.position, target.token] += 1
    if target.rival is not None:
        dlogits_BTV[0, target.position, target.rival] -= 1
    dx_BTD, _, _ = linear_backward(dlogits_BTV, seen["final_norm"], unembedding(params))
    last_BTD = seen[f"layers.{config.num_hidden_layers - 1}.resid_post"]
    dx_BTD, _ = rmsnorm_backward(dx_BTD, last_BTD, params["norm"], config.rms_norm_eps)
    found = {}
    for i in reversed(range(config.num_hidden_layers)):
        layer, at = params["layers"][i], f"layers.{i}."
        dmlp_in_BTD, _ = mlp_backward(dx_BTD, layer, seen, at)
        dmid_BTD = (dx_BTD
                    + rmsnorm_backward(dmlp_in_BTD, seen[at + "resid_mid"],
                                       layer["post_attention_layernorm"], config.rms_norm_eps)[0])
        z_shape = seen[at + "z"].shape
        dz_BTO = dmid_BTD @ matrix(layer["o_proj"]).T
        dz_BKGTE = dz_BTO.reshape(*dmid_BTD.shape[:2], *z_shape[1:3],
                                  z_shape[-1]).transpose(0, 2, 3, 1, 4)
        dq_BKGTE, dk_BKTE, dv_BKTE = attend_backward(dz_BKGTE, seen[at + "rot_q"],
                                                     seen[at + "rot_k"], seen[at + "v"], 0)
        found |= {
            at + "mlp_out": dx_BTD,
            at + "attn_out": dmid_BTD,
            at + "z": dz_BKGTE,
            at + "pattern": dz_BKGTE @ seen[at + "v"][:, :, None].swapaxes(-1, -2),
            at + "q": rope_backward(dq_BKGTE, seen[at + "q"], *cos_sin),
            at + "k": rope_backward(dk_BKTE, seen[at + "k"], *cos_sin),
            at + "v": dv_BKTE,
        }
        dx_BTD, _ = block_backward(dx_BTD, layer, seen, at, cos_sin, config)
        found[at + "resid_pre"] = dx_BTD
    return {name: found[name] for name in names}
