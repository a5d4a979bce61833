"""`minillm demo`: the whole path in about two minutes: stories, tokens, training, the floor, three
new stories."""

from functools import partial
from pathlib import Path

from minillm.cli.options import HELP, add_twin
from minillm.cli.parsing import add_command
from minillm.cli.train import train_and_draw
from minillm.config import IGNORE, GenerateConfig, TrainConfig, preset

DEMO_STEPS = 900
STORIES_MEGABYTES = 8.0
VOCAB_SIZE = 1792  # enough that nearly every word of the stories is one token
RECIPE = dict(batch_size=8, context=176, warmup_steps=20)
LAYERS = 3  # one fewer than nano: more tokens in the same two minutes


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(commands, "demo", demo,
                          "train a small LLaMA on built-in stories and show what it learned",
                          "minillm demo")
    command.add_argument("--out", default="runs/demo", metavar="DIR", help="folder of the run")
    command.add_argument("--steps", type=int, default=DEMO_STEPS, metavar="N", help=HELP["steps"])
    command.add_argument("--seed", type=int, default=0, metavar="N", help=HELP["seed"])
    add_twin(command)


def demo(options):
    """Train a LLaMA of LAYERS layers on the story world, beside n-gram models and the floor.

    An unfinished run in --out is continued; beside a finished one a new folder is used. Raises
    UserError as training.run.
    """
    from rich.console import Console

    from minillm import training

    folder, resume = folder_of(options.out)
    training.prepare_folder(folder, resume)
    demo = Demo(Console(), folder, resume, options)
    demo.read_stories()
    demo.make_tokens()
    if demo.train():
        demo.show_result()
        demo.write_stories()
        demo.say_what_next()


def folder_of(out) -> tuple[Path, bool]:
    """The folder of this run, and whether it continues one."""
    from minillm.training import STATE

    folder = Path(out)
    if not (folder / STATE).exists():
        return folder, False
    if not (folder / "summary.json").exists():
        return folder, True
    others = (Path(f"{out}-{n}") for n in range(2, 10_000))
    return next(folder for folder in others if not folder.exists()), False


class Demo:
    """The chapters of the demo, in order."""

    def __init__(self, console, folder: Path, resume: bool, options):
        self.console, self.folder, self.resume = console, folder, resume
        self.steps, self.seed, self.twin = options.steps, options.seed, options.twin
        self.chapters = 0

    def chapter(self, text: str):
        self.chapters += 1
        self.console.print(f"\n[bold]{self.chapters}. {text}[/]", highlight=False)

    def say(self, text: str):
        self.console.print(f"   {text}", highlight=False)

    def show(self, story: str):
        text = "   " + story.replace("\n", "\n   ")
        self.console.print(text, style="italic", highlight=False, markup=False)

    def read_stories(self):
        from minillm.text.corpora import read_corpus

        self.chapter("Stories. A grammar writes them, so the probability of each is known exactly.")
        self.corpus = read_corpus("storyworld", megabytes=STORIES_MEGABYTES, seed=self.seed)
        learn, held_out = len(self.corpus.train), len(self.corpus.validation)
        self.console.print(
            f"   {learn:,} stories to learn from, {held_out:,} held out. One of them:\n")
        self.show(self.corpus.train[0])

    def make_tokens(self):
        from minillm.text import tokenizer as tokenizers
        from minillm.text.dataset import prepare

        self.chapter("Tokens. Byte-pair encoding learns which letters go together.")
        self.tokenizer = tokenizers.train(self.corpus.train, VOCAB_SIZE)
        self.dataset = prepare(self.corpus, self.tokenizer, self.folder / "data")
        self.say(f"{self.tokenizer.vocab_size:,} tokens; the text shrinks from "
                 f"{self.dataset.train_bytes:,} bytes to {len(self.dataset.train):,} tokens.")

    def train(self) -> bool:
        """Train; False where Ctrl-C ended it."""
        from minillm import training
        from minillm.architecture.llama import count
        from minillm.text import storyworld

        self.chapter("Training. A LLaMA predicts the next token and is corrected.")
        train = TrainConfig(steps=self.steps, seed=self.seed, eval_every=100, save_every=200,
                            sample_every=200, **RECIPE)
        config = preset("nano", vocab_size=self.tokenizer.vocab_size, context=train.context,
                        num_hidden_layers=LAYERS, **storyworld.RECIPE)
        self.say(
            f"{count(config):,} parameters in {config.num_hidden_layers} layers, the {self.twin} "
            "twin; Ctrl-C saves and stops, the same command continues.")
        self.say(
            f"Names are copied sooner where o_proj starts as {config.o_proj_init_gain:g} x the "
            "transpose of v_proj: the recipe for stories.")
        self.count_ngrams(train.context)
        levels = {name: nats / self.tokens_per_story for name, nats in self.ngrams.items()}
        run = partial(training.run, self.folder, config, train, self.dataset, self.tokenizer)
        run = partial(run, twin=self.twin, resume=self.resume)
        self.summary = train_and_draw(self.console, self.folder, config, train, self.dataset, run,
                                      levels)
        if not self.summary["done"]:
            self.console.print(
                f"   saved at step {self.summary['step']:,}. The same command continues from there."
            )
        return self.summary["done"]

    def count_ngrams(self, context: int):
        """The losses of n-gram models, in nats per story, and the mean number of tokens of one."""
        import numpy as np

        from minillm import training
        from minillm.text.ngram import ngram_loss

        dataset = self.dataset
        rows = training.held_out(dataset, context)
        self.tokens_per_story = np.sum(rows.targets_NT != IGNORE) / rows.documents
        held_out, train = ([ids[1:] for ids in documents(tokens, starts)]
                           for tokens, starts in ((dataset.validation, dataset.validation_starts),
                                                  (dataset.train, dataset.train_starts)))
        self.ngrams = {name: ngram_loss(train, held_out, order, self.tokenizer.vocab_size)
                       for order, name in ((2, "bigram"), (3, "trigram"))}

    def show_result(self):
        from minillm.training.display import table

        self.chapter(
            "The result. No model can be better than the floor: it is the grammar's own entropy.")
        floor, seconds = self.summary["floor_per_document"], self.summary["seconds"]
        results = [*self.ngrams.items(), (f"this LLaMA, {seconds:.0f} s of training",
                                          self.summary["nats_per_document"]), ("the floor", floor)]
        rows = [(name, f"{nats:.1f}", f"{100 * (nats / floor - 1):+.1f}%")
                for name, nats in results]
        table(self.console, "", rows, ("held-out stories", "nats per story", "above the floor"))

    def write_stories(self):
        from minillm.loading import load

        self.chapter("Three stories that it wrote.")
        model = load(self.folder)
        for i in range(3):
            sampling = GenerateConfig(max_new_tokens=RECIPE["context"] - 1, temperature=0.9,
                                      seed=self.seed + i)
            ids = list(model.continuation([model.config.bos_token_id], self.twin, sampling))
            self.console.print()
            self.show(model.tokenizer.decode(ids))

    def say_what_next(self):
        folder = self.folder
        following = {
            f'generate {folder} --prompt "Once"': "let it write",
            f"generate {folder} --twin numpy": "the same model, in NumPy",
            f"evaluate {folder}": "measure it again",
            "pretrain storyworld --model tiny --steps 4000": "train a larger model",
            "pretrain FILE.txt": "train on your own text",
            "lesson list": "the course",
        }
        width = max(map(len, following))
        lines = [f"  minillm {command:{width}}  {use}" for command, use in following.items()]
        self.console.print(
            f"\nThe checkpoint and its curve ([bold]loss.png[/]) are in {folder}. What to "
            "do next:\n" + "\n".join(lines), highlight=False)


def documents(tokens, starts) -> list:
    """The documents of a token file, each from its end-of-text token to the one that closes it."""
    ends = [*starts[1:], len(tokens) - 1]
    return [tokens[start : end + 1] for start, end in zip(starts, ends)]
