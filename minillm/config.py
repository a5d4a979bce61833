"""Every setting of a model and of a training run, with every default, in one place.

`ModelConfig` uses the names of Hugging Face's `config.json`, so that a saved model opens elsewhere without translation.
`preset` turns a name, or the single dial `depth`, into a whole model.
"""

from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

from minillm.errors import UserError, is_count, is_number, require

IGNORE = -100  # a target that no loss counts: padding; as in PyTorch and Hugging Face
ROPE_TYPES = ("linear", "dynamic", "llama3", "yarn")

# What a setting may be: (does it hold, in words).
COUNT = is_count, "a whole number of at least 1"
WHOLE = lambda value: isinstance(value, int) and value >= 0, "a whole number of at least 0"
POSITIVE = lambda value: is_number(value) and value > 0, "a finite number above 0"
NOT_NEGATIVE = lambda value: is_number(value) and value >= 0, "a finite number of at least 0"
SHARE = lambda value: is_number(value) and 0 <= value <= 1, "a number between 0 and 1"
BOOLEAN = lambda value: isinstance(value, bool), "true or false"


def one_of(choices, words: str = ""):
    """The rule that a setting is one of `choices`."""
    return choices.__contains__, words or " or ".join(choices)


def check(config, rule, *names: str):
    """Raises UserError for the first of these settings that breaks the rule."""
    holds, words = rule
    for name in names:
        value = getattr(config, name)
        require(holds(value), name, value, words)


def optional(rule):
    """The rule that a setting is None or follows `rule`."""
    return lambda value: value is None or rule[0](value), rule[1]


@dataclass(frozen=True)
class RopeScaling:
    """One way to stretch the angles. Fields as in Hugging Face's config.json.

    `original_max_position_embeddings` is the context before stretching. Raises UserError.

    linear   every angle divided by `factor` (Chen et al. 2023, arXiv:2306.15595, eq. 3)
    dynamic  beyond the context theta grows with the length (NTK-aware; Peng et al. 2023, arXiv:2309.00071, section 3.1)
    llama3   slow turns divided by `factor`, fast ones kept, a ramp between (Grattafiori et al. 2024, arXiv:2407.21783)
    yarn     the same with another ramp, and cos and sin grow a little (arXiv:2309.00071, section 3.2 and eq. 22)
    """

    rope_type: str
    factor: float
    original_max_position_embeddings: int | None = None
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None
    beta_fast: float | None = None
    beta_slow: float | None = None
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True

    def __post_init__(self):
        check(self, one_of(ROPE_TYPES, f"default, {', '.join(ROPE_TYPES)}"), "rope_type")
        require(is_number(self.factor) and self.factor >= 1, "the rope factor", self.factor,
                "a finite number of at least 1")
        stretches = self.rope_type in ("llama3", "yarn")
        check(self, COUNT if stretches else optional(COUNT), "original_max_position_embeddings")
        if self.rope_type == "llama3":
            check(self, POSITIVE, "low_freq_factor", "high_freq_factor")
            above = self.high_freq_factor > self.low_freq_factor    # pyright: ignore[reportOperatorIssue]
            require(above, "high_freq_factor", self.high_freq_factor,
                    f"above low_freq_factor ({self.low_freq_factor})")
        check(self, optional(NOT_NEGATIVE), "beta_fast", "beta_slow", "attention_factor", "mscale",
              "mscale_all_dim")
        check(self, BOOLEAN, "truncate")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of one LLaMA. Sizes are counts; `rms_norm_eps` and `initializer_range` are plain numbers.

    `o_proj_init_gain` is 0 for the ordinary start of o_proj, or says how many times the transpose
    of v_proj it starts as (see `init`). It is about the first step alone: configs that differ in it
    are equal, and no file of a model holds it.

    Raises UserError for a combination that is no model. Source: Touvron et al. 2023, arXiv:2302.13971, section 2.2.
    """

    model_type: ClassVar[str] = "llama"
    architecture: ClassVar[str] = "LlamaForCausalLM"

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    rope_scaling: RopeScaling | None = None
    attention_bias: bool = False
    mlp_bias: bool = False
    tie_word_embeddings: bool = True
    initializer_range: float = 0.02
    bos_token_id: int | None = 0
    eos_token_id: int | tuple[int, ...] | None = 0
    o_proj_init_gain: float = field(default=0.0, compare=False, repr=False)

    def __post_init__(self):
        check(self, COUNT, "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
              "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings")
        check(self, POSITIVE, "rms_norm_eps", "rope_theta", "initializer_range")
        check(self, NOT_NEGATIVE, "o_proj_init_gain")
        require(self.num_attention_heads % self.num_key_value_heads == 0, "num_key_value_heads",
                self.num_key_value_heads,
                f"a divisor of num_attention_heads ({self.num_attention_heads})")
        require(self.head_dim % 2 == 0, "head_dim", self.head_dim,
                "even, because rotary embedding turns pairs")
        check(self, BOOLEAN, "tie_word_embeddings", "attention_bias", "mlp_bias")
        yarn = self.rope_scaling is not None and self.rope_scaling.rope_type == "yarn"
        require(not yarn or self.rope_theta > 1, "rope_theta", self.rope_theta,
                "above 1 for rope_type yarn")
        check_marks(self)

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """The tokens after which a text is over: none, one or several."""
        return end_tokens(self)

    @property
    def biased(self) -> tuple[str, ...]:
        """Which matrices have a bias: those of attention, those of the MLP, or none."""
        return ("q", "k", "v", "o") * self.attention_bias + ("gate", "up", "down") * self.mlp_bias

    @property
    def queries_per_key(self) -> int:
        """G = H / K: how many query heads share one key/value head (Ainslie et al. 2023, arXiv:2305.13245)."""
        return self.num_attention_heads // self.num_key_value_heads


OPTIMIZERS, PRECISIONS = ("adamw", "muon"), ("float32", "bfloat16")
LAYOUT = ("cpu_devices", "shard", "recompute")  # settings of a run that may change when it is resumed


@dataclass(frozen=True)
class TrainConfig:
    """One training run: how much, how fast, from which random numbers. Lengths are in steps or tokens as named.

    The learning rate climbs linearly for `warmup_steps`, then follows a cosine down to
    `final_learning_rate * learning_rate` at the last step. Raises UserError for a setting that is no run.
    """

    steps: int = 1000
    batch_size: int = 16
    context: int = 256
    optimizer: str = "muon"
    learning_rate: float = 6e-3
    muon_learning_rate: float = 0.02
    muon_momentum: float = 0.95
    final_learning_rate: float = 0.0
    warmup_steps: int = 50
    beta1: float = 0.9
    beta2: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.1
    max_grad_norm: float = 1.0
    seed: int = 0
    steps_per_dispatch: int = 10
    eval_every: int = 100
    eval_rows: int = 128
    save_every: int = 100
    sample_every: int = 0
    matmul_precision: str = "float32"
    cpu_devices: int = 2
    shard: bool = False
    recompute: bool = False

    def __post_init__(self):
        check(self, COUNT, "steps", "batch_size", "context", "steps_per_dispatch", "eval_every",
              "eval_rows", "save_every", "cpu_devices")
        check(self, WHOLE, "warmup_steps", "seed", "sample_every")
        check(self, POSITIVE, "learning_rate", "muon_learning_rate", "eps", "max_grad_norm")
        check(self, SHARE, "beta1", "beta2", "muon_momentum", "final_learning_rate")
        check(self, NOT_NEGATIVE, "weight_decay")
        check(self, one_of(OPTIMIZERS), "optimizer")
        check(self, one_of(PRECISIONS), "matmul_precision")
        check(self, BOOLEAN, "shard", "recompute")


OBJECTIVES = ("soft", "reverse", "on-policy", "responses")


@dataclass(frozen=True)
class DistillConfig:
    """How a student learns from a teacher (see in_numpy/distill.py). Raises UserError for what is no way to learn.

    For on-policy: `student_share` is the share of dispatches whose rows the student writes itself,
    `jsd_beta` is 1 for KL(student || teacher), 0 for KL(teacher || student), between for JSD.
    `kept` is how many tokens a position the teacher's answer was cut to, 0 for all. `responses` and
    `writing_temperature` are for text that the teacher writes. `start` is where the student begins:
    random, or layers and widths of the teacher.
    """

    objective: str = "soft"
    alpha: float = 1.0
    temperature: float = 1.0
    student_share: float = 0.5
    jsd_beta: float = 1.0
    kept: int = 0
    responses: int = 10_000
    writing_temperature: float = 1.0
    start: str = "random"

    def __post_init__(self):
        check(self, one_of(OBJECTIVES, ", ".join(OBJECTIVES)), "objective")
        check(self, SHARE, "alpha", "student_share", "jsd_beta")
        check(self, POSITIVE, "temperature", "writing_temperature")
        require(self.kept == 0 or is_count(self.kept), "top-k", self.kept,
                "a whole number of at least 1")
        require(not self.kept or self.objective in ("soft", "reverse"), "objective", self.objective,
                "soft or reverse where the teacher's answers are kept: the others are about texts that are not there yet")
        check(self, COUNT, "responses")
        check(self, one_of(("random", "pruned")), "start")

    @property
    def beta(self) -> float:
        """Which divergence: 0 is KL(teacher || student), 1 KL(student || teacher), JSD between."""
        return {"reverse": 1.0, "on-policy": self.jsd_beta}.get(self.objective, 0.0)


TUNE_METHODS = ("sft", "lora", "dpo", "grpo")
TRAINED = ("model", "adapters")


@dataclass(frozen=True)
class TuneConfig:
    """How a model is tuned to answer. Raises UserError for what is no way to tune.

    `rank` and `alpha` are those of LoRA's adapters (see architecture/adapted.py): alpha / rank is
    what the change is multiplied with. `targets` are the matrices of a layer that get one. The rest
    is for dpo and grpo (see in_numpy/preference.py): `beta` holds the model near the first one,
    `group` answers are written to each question, `clip` is how far a ratio counts. `trained` is
    the model, or adapters beside it, which stays: lora is sft of adapters.
    """

    method: str = "sft"
    rank: int = 8
    alpha: float = 16.0
    targets: str = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"
    group: int = 8
    beta: float = 0.1
    clip: float = 0.2
    trained: str = "model"

    def __post_init__(self):
        check(self, one_of(TUNE_METHODS), "method")
        check(self, one_of(TRAINED), "trained")
        check(self, COUNT, "rank", "group")
        check(self, POSITIVE, "alpha", "clip")
        check(self, NOT_NEGATIVE, "beta")

    @property
    def adapts(self) -> bool:
        """Is a change beside the model trained, and not the model?"""
        return self.trained == "adapters" or self.method == "lora"

    @property
    def scale(self) -> float:
        """What an adapter's product is multiplied with."""
        return self.alpha / self.rank

    @property
    def target_names(self) -> tuple[str, ...]:
        """The targets, each by its name."""
        return tuple(name.strip() for name in self.targets.split(",") if name.strip())


@dataclass(frozen=True)
class GenerateConfig:
    """How to write: how many tokens, and how to choose among the probable ones (see `sample`). Raises UserError."""

    max_new_tokens: int = 256
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self):
        check(self, WHOLE, "max_new_tokens", "seed")
        check(self, (WHOLE[0], "0 (all tokens) or a whole number above"), "top_k")
        warm = is_number(self.temperature) and (self.temperature == 0 or self.temperature >= 1e-5)
        require(warm, "temperature", self.temperature,
                "0 (always the most probable token) or a number of at least 1e-5")
        require(is_number(self.top_p) and 0 < self.top_p <= 1, "top_p", self.top_p,
                "above 0 and at most 1")
        check(self, SHARE, "min_p")
        check(self, (POSITIVE[0], "1 (none) or a finite number above 0"), "repetition_penalty")


def check_marks(config):
    """Refuse a beginning-of-text token or end-of-text tokens that are no tokens. Raises UserError."""
    for name, tokens in (("bos_token_id", (config.bos_token_id,)),
                         ("eos_token_id", end_tokens(config))):
        for token in tokens:
            require(token is None or isinstance(token, int) and not isinstance(token, bool)
                    and 0 <= token < config.vocab_size, name, token,
                    f"a token id below vocab_size ({config.vocab_size})")


def end_tokens(config) -> tuple[int, ...]:
    """`eos_token_id`, which may be None, a number or several, as a tuple."""
    ends = config.eos_token_id
    return ends if isinstance(ends, tuple) else () if ends is None else (ends,)


def check_finite(finite):
    """Refuse logits of which `are_finite` was false. Raises UserError."""
    if not finite:
        raise UserError("the model's logits are not finite numbers: its weights, or products of them, are NaN or infinite")


def check_prompt(prompt, config: ModelConfig):
    """Refuse token ids that the model cannot continue. Raises UserError: none, too many, outside the vocabulary."""
    if not len(prompt):
        raise UserError("the prompt is empty: begin with the beginning-of-text token")
    if len(prompt) >= config.max_position_embeddings:
        raise UserError(f"the prompt has {len(prompt)} tokens and the model reads {config.max_position_embeddings}, "
                        f"new ones included: shorten it to {config.max_position_embeddings - 1} or fewer")
    for token in prompt:
        require(0 <= token < config.vocab_size, "a token of the prompt", int(token),
                f"at least 0 and below vocab_size ({config.vocab_size})")


def check_draft(length: int, config):
    """Refuse a draft model that cannot read a text of `length` tokens. Raises UserError."""
    if length > config.max_position_embeddings:
        raise UserError(
            f"the draft reads {config.max_position_embeddings} tokens, new ones included, and "
            f"{length} may come: lower --max-new-tokens, or choose another draft")


# The dial. One number sets a whole model: `depth` layers, `depth` heads of 32, so width = 32 * depth.
@dataclass(frozen=True)
class CostConfig:
    """What `minillm cost` supposes. Raises UserError.

    sustained  share of a machine's peak that training reaches; LLaMA-65B's was 0.49
    pue        what a data centre draws for each watt of its machines
    grid       grams of CO2 equivalent for a kWh; the mean of the United States

    The last two are those of Touvron et al. 2023, arXiv:2302.13971, section 6.
    """

    sustained: float = 0.4
    pue: float = 1.1
    grid: float = 385.0

    def __post_init__(self):
        check(self, POSITIVE, "sustained", "pue", "grid")


PRESETS = {"nano": 4, "tiny": 6, "small": 8, "medium": 12, "large": 16}


def preset(name_or_depth: str | int, *, vocab_size: int, context: int, **others) -> ModelConfig:
    """The model of a preset's name or of a depth: layers = heads = depth, head size 32, hidden = 32 * depth.

    Two query heads share a key/value head where depth is even; the feed-forward width is 8/3 of the hidden size,
    rounded up to a multiple of 32, so that SwiGLU's three matrices weigh what two of 4x would
    (Shazeer 2020, arXiv:2002.05202, section 3). Weights start at 1/sqrt(hidden), which keeps the size of what passes
    through a matrix. `others` are fields of ModelConfig, which win over the dial. Raises UserError
    for a name or depth that does not exist.
    """
    depth = PRESETS.get(name_or_depth, name_or_depth)
    if isinstance(depth, str):
        if not (depth.isascii() and depth.isdigit()):
            raise UserError(f"model {name_or_depth!r} is neither a preset ({', '.join(PRESETS)}) nor a depth (a number)")
        depth = int(depth)
    if not 1 <= depth <= 128:
        raise UserError(f"depth {depth} is out of range: choose 1 to 128")
    hidden = 32 * depth
    config = ModelConfig(vocab_size=vocab_size, hidden_size=hidden,
                         intermediate_size=-(-hidden * 8 // 3 // 32) * 32, num_hidden_layers=depth,
                         num_attention_heads=depth,
                         num_key_value_heads=depth // 2 if depth % 2 == 0 else depth, head_dim=32,
                         max_position_embeddings=context, initializer_range=hidden**-0.5)
    return replace(config, **others)


def with_options(config, **options):
    """A copy of `config` with the options that are not None; unknown names raise UserError."""
    known = {field.name for field in fields(config)}
    for name in options:
        if name not in known:
            raise UserError(f"{type(config).__name__} has no setting {name!r}; it has {', '.join(sorted(known))}")
    return replace(config, **{name: value for name, value in options.items() if value is not None})
