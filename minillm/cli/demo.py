"""`minillm demo`: the whole path in about two minutes: stories, tokens, training, the floor, three new stories."""

from pathlib import Path

from minillm.config import IGNORE, GenerateConfig, TrainConfig, preset

STORIES_MEGABYTES = 8.0
VOCAB_SIZE = 1792          # enough that nearly every word of the stories is one token
RECIPE = dict(batch_size=8, context=176, warmup_steps=20)
LAYERS = 3                 # one fewer than nano: more tokens in the same two minutes


def run(out: str, *, steps: int, seed: int, twin: str):
    """Train a LLaMA of LAYERS layers on the story world in `out` and show it beside n-gram models and the floor.

    An unfinished run in `out` is continued; beside a finished one a new folder is used. Raises UserError as training.run.
    """
    from rich.console import Console
    console = Console()
    step = iter(range(1, 6))

    def chapter(text):
        console.print(f"\n[bold]{next(step)}. {text}[/]", highlight=False)

    import numpy as np
    from minillm import training
    from minillm.cli import commands
    from minillm.formats import checkpoint
    from minillm.loading import twin_package
    from minillm.text import storyworld, tokenizer as tokenizers
    from minillm.text.corpora import read_corpus
    from minillm.text.dataset import prepare
    from minillm.training.display import table
    from minillm.text.ngram import ngram_loss
    from minillm.architecture.llama import count

    folder = Path(out)
    resume = (folder / training.STATE).exists() and not (folder / "summary.json").exists()
    if not resume and (folder / training.STATE).exists():
        folder = next(Path(f"{out}-{n}") for n in range(2, 10_000) if not Path(f"{out}-{n}").exists())
    training.prepare_folder(folder, resume)

    chapter("Stories. A grammar writes them, so the probability of each is known exactly.")
    corpus = read_corpus("storyworld", megabytes=STORIES_MEGABYTES, seed=seed)
    console.print(f"   {len(corpus.train):,} stories to learn from, {len(corpus.validation):,} held out. One of them:\n")
    console.print("   " + corpus.train[0].replace("\n", "\n   "), style="italic", highlight=False, markup=False)

    chapter("Tokens. Byte-pair encoding learns which letters go together.")
    made = tokenizers.train(corpus.train, VOCAB_SIZE)
    dataset = prepare(corpus, made, folder / "data")
    console.print(f"   {made.vocab_size:,} tokens; the text shrinks from {dataset.train_bytes:,} bytes to "
                  f"{len(dataset.train):,} tokens.", highlight=False)

    chapter("Training. A LLaMA predicts the next token and is corrected.")
    train = TrainConfig(steps=steps, seed=seed, eval_every=100, save_every=200, sample_every=200, **RECIPE)
    config = preset("nano", vocab_size=made.vocab_size, context=train.context, num_hidden_layers=LAYERS,
                    **storyworld.RECIPE)
    console.print(f"   {count(config):,} parameters in {config.num_hidden_layers} layers, the {twin} twin; Ctrl-C saves and "
                  f"stops, the same command continues.", highlight=False)
    console.print("   Names are copied sooner where o_proj starts as "
                  f"{storyworld.RECIPE['o_proj_init_gain']:g} x the transpose of v_proj: the recipe for stories.",
                  highlight=False)

    rows = training.held_out(dataset, train.context)
    held_out_ids = [ids[1:] for ids in documents(dataset.validation, dataset.validation_starts)]
    train_ids = [ids[1:] for ids in documents(dataset.train, dataset.train_starts)]
    ngrams = {name: ngram_loss(train_ids, held_out_ids, order, made.vocab_size)
              for order, name in ((2, "bigram"), (3, "trigram"))}
    tokens_per_story = np.sum(rows.targets_NT != IGNORE) / rows.documents
    lines = {name: nats / tokens_per_story for name, nats in ngrams.items()}
    summary = commands.train_and_draw(console, folder, config, train, dataset, made, twin, resume, lines)
    if not summary["done"]:
        console.print(f"   saved at step {summary['step']:,}. The same command continues from "
                      f"there.")
        return

    chapter("The result. No model can be better than the floor: it is the grammar's own entropy.")
    floor = summary["floor_per_document"]
    results = [*ngrams.items(), (f"this LLaMA, {summary['seconds']:.0f} s of training", summary["nats_per_document"]),
               ("the floor", floor)]
    table(console, "", [(name, f"{nats:.1f}", f"{100 * (nats / floor - 1):+.1f}%") for name, nats in results],
          ("held-out stories", "nats per story", "above the floor"))

    chapter("Three stories that it wrote.")
    model = twin_package(twin)
    config, params, made = checkpoint.load_model(folder)
    for i in range(3):
        how = GenerateConfig(max_new_tokens=train.context - 1, temperature=0.9, seed=seed + i)
        ids = list(model.generate(params, [config.bos_token_id], config, how, config.end_tokens))
        console.print("\n   " + made.decode(ids).replace("\n", "\n   "), style="italic", highlight=False, markup=False)

    following = [(f'generate {folder} --prompt "Once"', "let it write"),
                 (f"generate {folder} --twin numpy", "the same model, in NumPy"),
                 (f"evaluate {folder}", "measure it again"),
                 ("pretrain storyworld --model tiny --steps 4000", "train a larger model"),
                 ("pretrain FILE.txt", "train on your own text"),
                 ("lesson list", "the course")]
    width = max(len(command) for command, _ in following)
    console.print(f"\nThe checkpoint and its curve ([bold]loss.png[/]) are in {folder}. What to "
                  f"do next:\n" + "\n".join(
        f"  minillm {command:{width}}  {what}" for command, what in following), highlight=False)


def documents(tokens, starts) -> list:
    """The documents of a token file, each from its end-of-text token to the one that closes it."""
    ends = [*starts[1:], len(tokens) - 1]
    return [tokens[start : end + 1] for start, end in zip(starts, ends)]
