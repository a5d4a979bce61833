"""Lesson 03: where a head looks, before and after training, held against the facts that were planted in the stories."""

from dataclasses import replace
from itertools import chain, islice

from minillm.course.demos import main, measured, values

STEPS, SEED = 600, 0
RECIPE = dict(batch_size=8, context=176, warmup_steps=20)      # as `minillm demo` trains
MEGABYTES, VOCABULARY = 4.0, 1792
CHOOSE, REPORT = 40, 80                                        # held-out stories: a head is chosen on some, reported on others
FACTS = {"she": "the hero's pronoun", "friend": "the friend's name", "thing": "the treasure", "hero": "the hero's name"}
PICTURE = 46                                                   # tokens of one story that the figures show
CANDIDATES = 30                                                # places of which the one nearest to the mean is drawn
LEAST = 0.02                                                   # of a weight that is drawn as an arrow
TYPED = ("Once there was a librarian named Tala. His best friend was Farid, who was clever.\n\n"
         "On Sunday he found five figs in a faded satchel by the windmill. Along came")


def compute(console, full):
    import numpy as np

    from minillm.architecture.llama import count, init
    from minillm.config import preset
    from minillm.text import storyworld, tokenizer
    from minillm.text.storyworld import corpus, parse, stories
    learn = corpus(SEED, "train", int(MEGABYTES * 1e6))
    made = tokenizer.train(learn, VOCABULARY)
    config = replace(preset(2, vocab_size=made.vocab_size, context=RECIPE["context"] + 80), num_attention_heads=4,
                     num_key_value_heads=2, head_dim=32, **storyworld.RECIPE)
    params = {"untrained": init(config, np.random.default_rng(SEED))}
    params["trained"], losses = train(console, learn, made, config, params["untrained"])

    told = [parse(text) for text in islice(stories(SEED + 1, "validation"), CHOOSE + REPORT)]
    looked = {name: [look(params[name], config, made, story) for story in told] for name in params}
    heads = config.num_hidden_layers * config.num_attention_heads
    exact = {"parameters": count(config), "heads": heads, "steps": STEPS, "tokens": STEPS * RECIPE["batch_size"] * RECIPE["context"],
             "reported": REPORT, "chosen": CHOOSE, "chance": {}, "places": {}}
    found = {"first_loss": measured(losses[0], 6.5, 9.5), "last_loss": measured(losses[-1], 0.7, 1.5)}
    for fact in FACTS:
        rows = [row for story in looked["trained"][CHOOSE:] for row in story[fact]]
        exact["chance"][fact], exact["places"][fact] = float(np.mean([chance for chance, _ in rows])), len(rows)
        for name in params:
            chosen, reported = (np.mean([mass for story in part for _, mass in story[fact]], axis=0)
                                for part in (looked[name][:CHOOSE], looked[name][CHOOSE:]))
            best = int(np.argmax(chosen))
            least = 0.0 if name == "untrained" else 2 * exact["chance"][fact]
            found[f"{name}_{fact}"] = measured(float(reported[best]), least, 1.0)
            found[f"{name}_{fact}_head"] = measured(best, 0, heads - 1)
    for name in params:
        follows = np.mean([agrees(params[name], config, made, story) for story in told[CHOOSE:]])
        found[f"{name}_agrees"] = measured(float(follows), *((0.8, 1.0) if name == "trained" else (0.2, 0.8)))

    exact["pictures"] = list(islice((picture for story in told[CHOOSE:] for picture in pictures(made, story)), CANDIDATES))
    shares = [patterns(params["trained"], config, picture["ids"])[found["trained_she_head"]["value"], picture["query"], picture["earlier"]].sum()
              for picture in exact["pictures"]]
    typical = int(np.argmin(np.abs(np.array(shares) - found["trained_she"]["value"])))
    found["picture"], picture = measured(typical, 0, CANDIDATES - 1), exact["pictures"][typical]
    for name in params:
        pattern_TS = patterns(params[name], config, picture["ids"])[found["trained_she_head"]["value"]]
        found[f"{name}_pattern"] = measured([[round(float(p), 3) for p in row[: t + 1]] for t, row in enumerate(pattern_TS)], 0, 1)
        found[f"{name}_arrow"] = measured(float(pattern_TS[picture["query"], picture["earlier"]].sum()), 0, 1)
    return {"exact": exact, "measured": found}


def train(console, learn, made, config, params):
    """The parameters after STEPS steps, and the loss at each: minillm's own training, without its folder."""
    import numpy as np

    from minillm import in_jax, training
    from minillm.architecture.tree import tree_map
    from minillm.config import TrainConfig
    train = TrainConfig(steps=STEPS, seed=SEED, **RECIPE)
    rows = [[config.bos_token_id, *made.encode(text)] for text in learn]
    text, losses = (np.array(list(chain(*rows))), np.cumsum([0, *map(len, rows[:-1])])), []
    for step, state, metrics in training.steps(in_jax, in_jax.init_state(params), text, config, train):
        losses += metrics["loss"].tolist()
        if step % 50 == 0:
            console.print(f"step {step:4}: loss {np.mean(losses[-10:]):.2f} nats a token")
    return tree_map(np.asarray, state["params"]), [float(np.mean(losses[:1])), float(np.mean(losses[-20:]))]


def patterns(params, config, ids):
    """Every head's pattern on one text that begins with the beginning-of-text token: (heads of all layers, T, S)."""
    import numpy as np

    from minillm.in_numpy import forward
    seen = []

    def tap(name, x):
        if name.endswith(".pattern"):
            seen.append(x[0].reshape(-1, *x.shape[-2:]))
        return x

    forward(params, np.array([[config.bos_token_id, *ids]]), config, tap=tap)
    return np.concatenate(seen)


def places(made, story, fact):
    """[(query, earlier)]: before each later mention of a fact the last token that does not know it yet, and where it stood before."""
    import numpy as np
    ends = np.cumsum([len(made.decode_bytes([i])) for i in made.encode(story.text)])
    starts = np.concatenate([[0], ends[:-1]])
    where = [1 + np.flatnonzero((starts < mention.end) & (ends > mention.start)) for mention in story.facts[fact].mentions]
    return [(int(where[n][0]) - 1, np.concatenate(where[:n]).tolist()) for n in range(1, len(where)) if where[n][0] - 1 >= where[n - 1][-1]]


def look(params, config, made, story):
    """{fact: [(chance, mass)]}: at each later mention, the share of attention that goes to earlier ones, of each head and by chance."""
    found, pattern_HTS = {fact: [] for fact in FACTS}, patterns(params, config, made.encode(story.text))
    for fact in FACTS.keys() & story.facts.keys():
        for query, earlier in places(made, story, fact):
            found[fact].append((len(earlier) / (query + 1), pattern_HTS[:, query, earlier].sum(axis=1)))
    return found


def agrees(params, config, made, story):
    """Tell the story with "she" and with "he": how often the last pronoun that the model expects is the one told so far."""
    import numpy as np

    from minillm.in_numpy import forward
    told = {who: replace(story, values=story.values | {"she": who}) for who in ("she", "he")}
    at = {who: places(made, told[who], "she")[-1][0] for who in told}
    ids = {who: [config.bos_token_id, *made.encode(told[who].text)] for who in told}
    right = 0
    for who, other in (("she", "he"), ("he", "she")):
        logits_V = forward(params, np.array([ids[who][: at[who] + 1]]), config)[0][0, -1]
        right += logits_V[ids[who][at[who] + 1]] > logits_V[ids[other][at[other] + 1]]
    return right / 2


def pictures(made, story):
    """The beginning of a story with a place in it where a pronoun comes back for the second time or later; one for each such place."""
    ids = made.encode(story.text)[: PICTURE - 1]
    for query, earlier in places(made, story, "she"):
        if 20 < query < PICTURE - 2 and len(earlier) > 1:
            yield {"words": ["^", *(made.decode([i]) for i in ids)], "ids": ids, "query": query, "earlier": earlier}


def name_of(head, exact):
    """Heads are counted through the layers."""
    per_layer = exact["heads"] // 2
    return f"layer {head // per_layer}, head {head % per_layer}"


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    facts = Table("what comes back", "places", "by chance", "untrained", "trained", "the head", title="Share of a head's attention on "
                  "earlier mentions, from the token before a later one")
    for fact, about in FACTS.items():
        facts.add_row(about, str(exact["places"][fact]), f"{exact['chance'][fact]:.1%}", f"{found[f'untrained_{fact}']:.1%}",
                      f"{found[f'trained_{fact}']:.1%}", name_of(found[f"trained_{fact}_head"], exact))
    yield "facts", facts


def widgets(results):
    yield "attending", {"text": TYPED, "head": [0, 0]}


def figures(results, new):
    import numpy as np
    exact, found = values(results)
    picture = exact["pictures"][found["picture"]]
    words, query, earlier = picture["words"], picture["query"], picture["earlier"]
    figure, axes = new(7.0, 7.2, nrows=2, sharex=True)
    for axis, name, color in zip(axes, ("untrained", "trained"), new.ink["lines"]):
        for s, weight in enumerate(found[f"{name}_pattern"][query]):
            if weight >= LEAST and s != query:
                middle, half = (query + s) / 2, (query - s) / 2
                turn = np.linspace(0, np.pi, 60)
                axis.plot(middle + half * np.cos(turn), half * np.sin(turn), color=color, linewidth=0.5 + 9 * weight, alpha=0.85,
                          solid_capstyle="butt")
        axis.set(title=name, yticks=[], ylim=(0, None), xlim=(-1, len(words)))
        axis.spines["left"].set_visible(False)
        axis.set_xticks(range(len(words)), [word.strip() or "¶" for word in words], rotation=90, fontsize=8)
        axis.tick_params(labelbottom=True)
        for s, label in enumerate(axis.get_xticklabels()):
            if s in earlier or s == query:
                label.set_color(color)
                label.set_fontweight("bold")
    yield ("arrow", f"Where the token “{words[query].strip()}” looks, just before a pronoun: the untrained head spreads "
           "thinly over all earlier tokens, the trained one puts much of its attention on the earlier pronouns.", figure)

    figure, axes = new(7.0, 3.9, ncols=2, sharey=True)
    for axis, name in zip(axes, ("untrained", "trained")):
        rows = found[f"{name}_pattern"]
        square = np.full((len(rows), len(rows)), np.nan)
        for t, row in enumerate(rows):
            square[t, : t + 1] = row
        image = axis.imshow(square, cmap="viridis", vmin=0, vmax=1)
        axis.set(title=name, xlabel="key position")
    axes[0].set_ylabel("query position")
    figure.colorbar(image, ax=axes, shrink=0.8).ax.tick_params(colors=new.ink["text"])
    yield ("patterns", "Both patterns whole: the untrained one fades row by row as each weight becomes 1/(t+1), the trained one has "
           "bright columns at the words that are worth looking at. Above the diagonal there is nothing.", figure)


if __name__ == "__main__":
    main(globals())
