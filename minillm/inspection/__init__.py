"""Look inside any model that minillm loads: read, edit and patch its activations, in either twin.

    model = minillm.load("runs/nano")
    seen = inspection.record(model, "Once there was")
    seen["layers.0.pattern"]       # a NumPy array (B, K, G, T, S); axes: inspection.axes_of

Every function takes the model and a prompt (a text, or token ids) and returns NumPy arrays. Arrays
are named by their axes, as everywhere in minillm: `kl_LT` is (layers, positions). Axes: see
in_numpy/ops.py; here also H heads, N the first few of a list. `twin` chooses NumPy or JAX; NumPy
does everything except the gradients of a BLOOM. Several texts (of any lengths) are a batch: `record` pads
what it returns with NaN, and the functions of one text return a list. A notebook shows what they
return as tables and heat maps.
"""

from minillm.inspection import notebook as notebook  # how results are shown there
from minillm.inspection.ablation import (
           Ablation,
           ablate_heads,
           ablate_mlps,
           ablate_neurons,
           effect_of,
)
from minillm.inspection.activations import axes_of, estimate, matching, shape_of, tap_names
from minillm.inspection.attribution import Attribution, attribute_logits
from minillm.inspection.averages import AverageAblation, ablate_prompts
from minillm.inspection.circuits import OV, QK, copying_scores, ov, qk
from minillm.inspection.edit import Edit, add, replace, scale, swap, zero
from minillm.inspection.faithfulness import Check, check_all
from minillm.inspection.heads import HeadScores, head_scores, scores_on_repeats
from minillm.inspection.lens import Lens, logit_lens
from minillm.inspection.means import Means, means
from minillm.inspection.neurons import Neurons, promoted, top_neurons, top_tokens
from minillm.inspection.pairs import AveragePatching, Pair, patch_pairs, read_pairs
from minillm.inspection.patching import Patching, Target, patch, rank_by_gradient, target
from minillm.inspection.record import logits_of, record, record_by_layer, run
from minillm.inspection.scoring import Scored, score
from minillm.inspection.steering import contrast, generate, record_generation

__all__ = ["Ablation", "Attribution", "AverageAblation", "AveragePatching", "Check", "Edit", "HeadScores", "Lens",
           "Means", "Neurons", "OV", "Pair", "Patching", "QK", "Target", "ablate_heads",
           "ablate_mlps", "ablate_neurons", "ablate_prompts", "add", "attribute_logits", "axes_of", "check_all",
           "contrast", "copying_scores", "effect_of", "estimate", "generate", "head_scores",
           "logit_lens", "logits_of", "matching", "means", "ov", "patch", "patch_pairs", "promoted",
           "qk", "rank_by_gradient", "read_pairs", "record", "record_by_layer", "record_generation",
           "replace", "run", "scale", "Scored", "score", "scores_on_repeats", "shape_of", "swap",
           "tap_names", "target", "top_neurons", "top_tokens", "zero"]
