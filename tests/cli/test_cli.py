"""Promises of the command line: every command works end to end, every mistake is one line, nothing heavy for --help."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors import safe_open

from minillm import cli, training
from minillm.architecture.tree import tree_map
from minillm.cli import train, write
from minillm.config import TrainConfig
from minillm.formats import checkpoint
from minillm.text import dataset as data, tokenizer


def parsers(parser, name=""):
    """Every (command, its parser)."""
    yield name.strip(), parser
    for action in parser._actions:
        for word, below in (action.choices if isinstance(action.choices, dict) else {}).items():
            yield from parsers(below, f"{name} {word}")


EVERY = dict(parsers(cli.parser()))
COMMANDS = [name.split() for name in EVERY if name]
TEXT = "".join(f"The cat number {i} saw {i + 1} birds, and \u00e9t\u00e9 came.\n" for i in range(300))
SMALL = ["--twin", "numpy", "--model", "1", "--steps", "6", "--context", "16", "--batch-size", "2", "--eval-every", "3",
         "--eval-rows", "2", "--steps-per-dispatch", "3"]


def process(*arguments, **options):
    """The same in a process of its own, through `python -m minillm`."""
    done = subprocess.run([sys.executable, "-m", "minillm", *map(str, arguments)], capture_output=True, encoding="utf-8",
                          env=os.environ | {"PYTHONUTF8": "1"}, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with book.txt and three runs: `bpe` and `characters` of that text, and `story` of the story world."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "book.txt").write_text(TEXT, encoding="utf-8")
    for name, source, extra in (("bpe", folder / "book.txt", ["--vocab-size", "300"]),
                                ("characters", folder / "book.txt", ["--characters"]),
                                ("story", "storyworld", ["--megabytes", "0.02", "--vocab-size", "300"])):
        assert cli.main(["pretrain", str(source), "--out", str(folder / name), *extra, *SMALL]) == 0
    return folder


# Help -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_defaults_and_an_example(command, minillm):
    status, out, err = minillm(*command, "--help")
    assert (status, err) == (0, "")
    assert re.search(rf"^  minillm {command[0]}\b", out.partition("\nexample:")[2], re.MULTILINE)
    words = " ".join(out.partition("example:")[0].split())
    for option, default in {"demo": {"--out": "runs/demo", "--twin": "jax"},
                            "pretrain": {"--learning-rate": TrainConfig().learning_rate, "--model": "nano"},
                            "distill": {"--alpha": "1.0", "--top-k": "32"}, "evaluate": {"--batch-size": "16"}, "generate": {"--temperature": "1.0", "--top-k": "0"},
                            "data": {"--vocab-size": "1792"}}.get(" ".join(command), {}).items():
        described = words.split(f" {option} ")[-1].split(" --")[0]
        assert f"(default: {default})" in described, f"{option}: {described}"


@pytest.mark.parametrize("command", EVERY)
def test_every_option_says_its_value_and_its_default(command, monkeypatch):
    """At 80 columns: each option that takes a value has a default, is required, or says what happens without it."""
    monkeypatch.setenv("COLUMNS", "80")
    parser = EVERY[command]
    text = parser.format_help()
    assert all(len(line) <= 80 for line in text.partition("\n\n")[2].partition("\nexample:")[0].splitlines()), text
    for action in parser._actions:
        if action.option_strings and action.nargs != 0:
            said = parser._get_formatter()._expand_help(action)
            assert "default: " in said or "(required)" in said or "default is" in said, action.option_strings
            assert action.choices is None or action.metavar is None, f"{action.option_strings}: --help hides the choices"
            assert isinstance(action.type,
                              type(None)) or action.metavar != "N" or action.type is not str
    assert "(default: None)" not in text and "(default: [])" not in text


def test_names_take_names(minillm):
    """--optimizer and --matmul-precision show what may be given."""
    out = minillm("pretrain", "--help")[1]
    assert "--optimizer {adamw,muon}" in out and "--matmul-precision {float32,bfloat16}" in out
    assert "(default: 0)" in out and "(default: 32 x depth)" in " ".join(out.split())


@pytest.mark.parametrize("arguments, meant", [
    (["pretain", "x"], "pretrain"), (["evalute"], "evaluate"), (["comparecurve"], "compare-curve"),
    (["pretrain", "x", "--learnin-rate", "3"],
     "--learning-rate"), (["pretrain", "x", "--optimizer", "adam"], "adamw"),
    (["tokenizer", "trian"], "train"), (["lesson", "chek"],
                                        "check"), (["generate", "x", "--max-tokens", "3"],
                                                   "--max-new-tokens"),
    (["generate", "x", "--twin", "numpi"], "numpy")])
def test_what_may_have_been_meant(arguments, meant, minillm):
    mistake(minillm(*arguments), f"did you mean {meant}\\?")


def test_no_command_shows_how_to_begin(minillm):
    for arguments in ([], ["--help"]):
        status, out, err = minillm(*arguments)
        assert (status, err) == (0, "") and "minillm demo" in out
        assert all(f"\n    {command} " in out or f"\n    {command}\n" in out for command, *_ in COMMANDS)
    assert minillm("--version")[1].startswith("minillm ")


def test_help_imports_nothing_heavy():
    script = ("import sys; from minillm.cli import main\n"
              "try: main(sys.argv[1:])\n"
              "except SystemExit: pass\n"
              "heavy = {'numpy', 'jax', 'rich', 'tokenizers', 'safetensors', 'matplotlib'} & set(sys.modules)\n"
              "sys.exit(f'imported {heavy}' if heavy else 0)")
    for arguments in ([], ["--help"], ["pretrain", "--help"], ["pretrain", "x", "--model", "huge", "--out", "y"]):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_python_m_minillm():
    status, out, _ = process("--help")
    assert status == 0 and out.startswith("usage: minillm ")
    assert process("evaluate", "nowhere")[0] == 2


# Commands ---------------------------------------------------------------------------------------------------

def test_pretrain_leaves_a_whole_run(runs):
    for name in ("bpe", "characters", "story"):
        files = {path.name for path in (runs / name).iterdir()}
        assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "training_state.safetensors",
                "metrics.jsonl", "summary.json", "loss.png", "data"} <= files
        assert (runs / name / "loss.png").read_bytes().startswith(b"\x89PNG")
        records = [json.loads(line) for line in (runs / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [r["step"] for r in records if "loss" in r] == [0, 1, 2, 3, 4, 5]
        assert [r["step"] for r in records if "held_out" in r] == [0, 3, 6]
        summary = json.loads((runs / name / "summary.json").read_text(encoding="utf-8"))
        assert summary["done"] and summary["tokens"] == 6 * 2 * 16 and summary["model_step"] == 6
        assert (name != "story") == (summary["keep"] == "best")
        assert (summary if name == "story" else summary["lowest"])["held_out"] == records[-1]["held_out"]
        assert ("above_floor" in summary) == (name == "story")


def test_pretrain_says_what_it_does(runs, minillm, tmp_path):
    status, out, err = minillm("pretrain", runs / "story" / "data", "--out", tmp_path / "run", *SMALL, "--sample-every", "3")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert "training tokens" in lines[0] and "story recipe: o_proj" in lines.pop(1)
    assert "parameters; layers: 1 of width 32" in lines[1] and "twin: numpy" in lines[1]
    assert [line.split()[:2] for line in lines[2:-3]] == [["step", "0"], ["step", "3"],
                                                          ["step", "3"], ["step", "6"]]
    assert "nats/story, floor" in lines[2] and "writes:" in lines[4]
    assert "lowest held-out loss: " in lines[-2] and "tokens/s" in lines[-3] and "read the text" in lines[1]
    assert lines[-1] == f"next: minillm generate {tmp_path / 'run'}"
    assert not (tmp_path / "run" / "data").exists()


def test_pretrain_resumes(runs, minillm, tmp_path):
    """The run's own command and --resume; a finished run stays what it is; other data is refused and nothing replaced."""
    folder = shutil.copytree(runs / "bpe", tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*")
              if path.is_file() and path.name not in ("summary.json", "loss.png", training.STATE)}
    again = ["pretrain", runs / "book.txt", "--vocab-size", "300", "--out", folder, *SMALL]
    status, out, err = minillm(*again)
    assert status == 2 and "--resume" in err and len(err.splitlines()) == 1
    assert minillm(*again, "--resume")[::2] == (0, "")
    (tmp_path / "other.txt").write_text(TEXT.replace("cat", "dog"), encoding="utf-8")
    for source, extra in ((tmp_path / "other.txt", []), (runs / "book.txt", ["--characters"]),
                          (runs / "book.txt", ["--seed", "1"]), (runs / "book.txt", ["--hidden-size", "48"])):
        status, out, err = minillm("pretrain", source, *again[2:], "--resume", *extra)
        mistake((status, "", err), "another")
        assert {path: path.read_bytes() for path in before} == before


def test_resume_knows_what_the_run_was_started_with(runs, minillm, tmp_path):
    """Without SOURCE or any option, even where the text is gone; a run that does not say needs SOURCE; others are refused."""
    book, folder = tmp_path / "my book.txt", tmp_path / "run"
    book.write_text(TEXT, encoding="utf-8")
    assert minillm("pretrain", book, "--vocab-size", "300", "--out", folder, *SMALL, "--seed", "3",
                   "--keep", "last")[0] == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name in (
        "model.safetensors", "metrics.jsonl", "tokenizer.json", "config.json", "options.json")}
    book.unlink()
    assert minillm("pretrain", "--resume", "--out", folder)[::2] == (0, "")
    assert {name: (folder / name).read_bytes() for name in before} == before
    mistake((*minillm("pretrain", "--resume", "--out", folder, "--seed", "4")[:1], "", minillm(
        "pretrain", "--resume", "--out", folder, "--seed", "4")[2]),
            "another seed \\(3 then, 4 now\\)")
    for damage in ("[]", "{", '{"command": "pretrain", "options": {"run": "x", "steps": [3]}}'):
        (folder / "options.json").write_text(damage, encoding="utf-8")
        assert minillm("pretrain", "--resume", "--out", folder)[0] == 2
    mistake(minillm("pretrain", "--resume", "--out", runs / "nothing"), "SOURCE is missing")
    mistake(minillm("pretrain", "--resume"), "--out DIR")
    mistake(minillm("pretrain"), "SOURCE is missing")


def test_a_run_without_out_goes_where_its_text_is_called(runs, minillm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert minillm("pretrain", runs / "book.txt", "--vocab-size", "300", *SMALL)[0] == 0
    assert (tmp_path / "runs" / "book" / "model.safetensors").is_file()
    assert minillm("pretrain", runs / "book.txt", "--resume")[0] == 0


def test_a_run_by_characters_ends_with_a_command_that_works(runs, minillm, tmp_path):
    """Also where the text has no Latin letter."""
    (tmp_path / "zh.txt").write_text("\n\u3002\u5c0f\u732b\u770b\u89c1\u4e86\u4e00\u672c\u4e66\u3002" * 300, encoding="utf-8")
    for source in (runs / "book.txt", tmp_path / "zh.txt"):
        out = minillm("pretrain", source, "--characters", "--out", tmp_path / source.stem,
                      *SMALL)[1]
        words = shlex.split(out.splitlines()[-1])
        assert words[:3] == ["next:", "minillm", "generate"] and words[4] == "--prompt" and words[5]
        assert minillm(*words[2:], "--twin", "numpy", "--max-new-tokens", "2",
                       "--quiet")[::2] == (0, "")


def test_learning_by_heart_is_said(runs, minillm, tmp_path):
    """A text of noise: the best model is kept, and the lines, the warning and the curve say so."""
    rng = np.random.default_rng(0)
    (tmp_path / "noise.txt").write_text("".join(rng.choice(list("abcdefgh "), 300)),
                                        encoding="utf-8")
    how = ["--characters", *SMALL, "--steps", "60", "--eval-every", "20", "--batch-size", "16",
           "--eval-rows", "9", "--warmup-steps", "5",
           "--learning-rate", "0.02", "--model", "2"]
    out = minillm("pretrain", tmp_path / "noise.txt", "--out", tmp_path / "run", *how)[1]
    assert "% above step" in out and "warning: after step" in out and "by heart, which it reads 64 times" in " ".join(out.split())
    assert "the folder holds the model of that step" in out and "next: minillm generate" in out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["keep"] == "best" and summary["model_step"] == summary["lowest"]["step"] < 60
    status, out, _ = minillm("compare-curve", tmp_path / "run")
    assert status == 1 and "noise.txt" in out and "then rises to" in out and "leak" not in out


def test_a_run_that_learned_nothing_says_so(runs, minillm, tmp_path):
    out = minillm("pretrain", runs / "bpe" / "data", "--out", tmp_path / "run", *SMALL,
                  "--learning-rate", "100",
                  "--warmup-steps", "0")[1]
    assert "the model learned nothing" in out.splitlines()[-1] and "--learning-rate" in out and "next:" not in out


def test_absurd_sizes_leave_no_folder(runs, minillm, tmp_path):
    """Refused in one line before anything is allocated or any folder is made."""
    for option, value in (("--vocab-size", 999_999_999), ("--hidden-size", 2**30),
                          ("--num-hidden-layers", 2**30),
                          ("--batch-size", 2**30), ("--context", 2**30),
                          ("--intermediate-size", 2**30),
                          ("--num-attention-heads", 2**30), ("--head-dim", 2**30),
                          ("--eval-rows", 2**40), ("--steps", 2**40)):
        command = ["pretrain", runs / "book.txt", "--out", tmp_path / "new", *SMALL, option,
                   str(value)]
        mistake(minillm(*command), "too large|needs at least|must be a whole number")
        assert not list(tmp_path.iterdir()), option


def test_more_devices_than_cores_are_warned_of(capsys):
    from types import SimpleNamespace

    from rich.console import Console
    for twin, devices, warned in (("jax", 100_000, True), ("jax", 2, False),
                                  ("numpy", 100_000, False)):
        train.warn_of_devices(Console(), SimpleNamespace(twin=twin),
                                 TrainConfig(cpu_devices=devices))
        assert ("cores" in capsys.readouterr().out) == warned


def test_the_speed_is_tokens_over_the_time_that_passed(runs, minillm, monkeypatch):
    """However the tokens arrive: here the clock goes on by a second at each look, and all tokens come at once at the end."""
    assert write.speed(30, 2.0,
                          "jax") == ("[30 new tokens in 2.00 s (reading the prompt and compiling "
                                     "included), 15 tokens/s, "
                                              "twin: jax]")
    assert write.speed(0, 0.0, "numpy") == "[0 new tokens, twin: numpy]"
    clock = iter([10.0, *[14.0] * 99])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    err = minillm("generate", runs / "bpe", "--prompt", "The", "--max-new-tokens", "8", "--twin",
                  "numpy")[2]
    assert "8 new tokens in 4.00 s" in err and " 2 tokens/s" in err


def test_the_model_options_make_the_model(runs, minillm, tmp_path):
    status, _, err = minillm("pretrain", runs / "bpe" / "data", "--out", tmp_path, *SMALL, "--hidden-size", "24",
                             "--num-hidden-layers", "2", "--num-attention-heads", "4", "--num-key-value-heads", "2",
                             "--head-dim", "10", "--rope-theta", "500", "--no-tie-word-embeddings")
    assert (status, err) == (0, "")
    config, params, made = checkpoint.load_model(tmp_path)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.num_key_value_heads,
            config.head_dim, config.rope_theta, config.tie_word_embeddings) == (24, 2, 4, 2, 10, 500.0, False)
    assert params["lm_head"].shape == (24, made.vocab_size) and config.max_position_embeddings == 16


def test_stories_have_a_recipe_which_is_said_and_can_be_declined(runs, minillm, tmp_path):
    """o_proj starts as the recipe says where the exact floor is known, unless an option decides; no other text is meant."""
    said = "story recipe: o_proj starts as 6 x the transpose of v_proj; --o-proj-init-gain 0 gives the ordinary start"
    for name, options, gain in (("story", (), 6.0), ("story", ("--o-proj-init-gain", "0"), 0.0), ("bpe", (), 0.0)):
        out = tmp_path / f"{name}{len(options)}"
        status, printed, err = minillm("pretrain", runs / name / "data", "--out", out, *SMALL, *options)
        assert (status, err) == (0, "") and (said in printed) == (gain == 6.0)
        with safe_open(out / training.STATE, framework="numpy") as file:
            assert json.loads(file.metadata()["model"])["o_proj_init_gain"] == gain
        assert "o_proj_init_gain" not in json.loads((out / "config.json").read_text(encoding="utf-8"))
        status, printed, err = minillm("pretrain", "--resume", "--out", out)
        assert (status, err) == (0, "") and (said in printed) == (gain == 6.0)


def test_evaluate_json(runs, minillm):
    """One JSON object; its numbers agree with each other and between the twins."""
    for name, n_bytes in (("bpe", len(TEXT.encode())), ("characters", len(TEXT.encode()) - 1)):
        results = {}
        for twin in ("numpy", "jax"):
            status, out, err = minillm("evaluate", runs / name, "--text", runs / "book.txt", "--twin", twin, "--json")
            assert (status, err) == (0, "")
            results[twin] = result = json.loads(out)
            assert {"tokens", "loss", "bits_per_byte", "perplexity"} <= result.keys()
            assert result["perplexity"] == pytest.approx(np.exp(result["loss"]), rel=1e-9)
            assert result["bits_per_byte"] * n_bytes * np.log(2) == pytest.approx(result["loss"] * result["tokens"], rel=1e-9)
        made = tokenizer.load(runs / name)
        assert results["numpy"]["tokens"] == len(made.encode(TEXT)) - (name == "characters")
        for number in ("tokens", "loss", "bits_per_byte", "perplexity"):
            assert results["numpy"][number] == pytest.approx(results["jax"][number], rel=1e-5)


def test_evaluate_defaults_to_the_run_s_own_data(runs, minillm):
    summary = json.loads((runs / "story" / "summary.json").read_text(encoding="utf-8"))
    for arguments in ([], ["--data", runs / "story" / "data", "--batch-size", "5"]):
        result = json.loads(minillm("evaluate", runs / "story", "--twin", "numpy", "--json", *arguments)[1])
        assert result["loss"] == pytest.approx(summary["held_out"], rel=1e-6)
        assert result["above_floor"] == pytest.approx(summary["above_floor"], rel=1e-6)
    status, out, _ = minillm("evaluate", runs / "story", "--twin", "numpy", "--context", "8")
    assert status == 0 and "bits per byte" in out and "perplexity" in out


def test_generate_prints_the_text_alone(runs, minillm):
    """The prompt, then the same continuation from both twins, greedy and with coins."""
    for name, prompt in (("bpe", "The cat\n\u00e9t\u00e9"), ("bpe", ""), ("characters", "The")):
        for how in (["--temperature", "0"], ["--temperature", "0.9", "--top-k", "20", "--seed", "4"]):
            texts = []
            for twin in ("numpy", "jax"):
                status, out, err = minillm("generate", runs / name, "--prompt", prompt, "--max-new-tokens", "8", "--quiet",
                                           "--twin", twin, *how)
                assert (status, err) == (0, "") and out.startswith(prompt) and (not prompt or len(out) > len(prompt) + 1)
                texts.append(out)
            assert texts[0] == texts[1]
    status, out, err = minillm("generate", runs / "bpe", "--prompt", "The", "--max-new-tokens", "3", "--twin", "numpy")
    assert status == 0 and "3 new tokens" in err and "new tokens" not in out
    status, out, err = minillm("generate", runs / "bpe", "--prompt", "The", "--max-new-tokens", "0", "--quiet")
    assert (status, out, err) == (0, "The\n", "")


def test_generate_through_a_pipe(runs):
    """Bytes of UTF-8, exactly, whatever the console's code page is."""
    command = ["generate", runs / "bpe", "--prompt", "\u00e9t\u00e9 \u6625", "--max-new-tokens", "0", "--quiet", "--twin",
               "numpy"]
    assert process(*command) == (0, "\u00e9t\u00e9 \u6625\n", "")
    done = subprocess.run([sys.executable, "-m", "minillm", *map(str, command)], capture_output=True,
                          env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["\u00e9t\u00e9".encode(), "\u6625".encode()], b"")


def test_data_makes_a_dataset(runs, minillm, tmp_path):
    status, out, err = minillm("data", runs / "book.txt", "--out", tmp_path / "set", "--vocab-size", "300")
    dataset = data.open_dataset(tmp_path / "set")
    assert (status, err) == (0, "") and json.loads(out) == data.describe(dataset)
    assert json.loads(out)["train"]["tokens"] == len(dataset.train)
    status, out, _ = minillm("data", "storyworld", "--megabytes", "0.01", "--show", "2")
    assert status == 0 and out.count("\n\n") >= 2 and not (tmp_path / "2").exists()


def test_pretrain_with_a_tokenizer_and_a_folder_of_texts(runs, minillm, tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.md").write_text(TEXT.replace("cat", f"cat {i}"), encoding="utf-8")
    status, out, err = minillm("pretrain", tmp_path, "--tokenizer", runs / "bpe", "--out", tmp_path / "run", *SMALL)
    assert (status, err) == (0, "") and "5 text files" in out
    assert tokenizer.load(tmp_path / "run").vocab == tokenizer.load(runs / "bpe").vocab


def test_tokenizer_commands(runs, minillm, tmp_path):
    """Both engines learn the same file; encode and decode are inverse."""
    files = []
    for engine in ("library", "written"):
        status, out, err = minillm("tokenizer", "train", runs / "book.txt", "--vocab-size", "300", "--engine", engine,
                                   "--out", tmp_path / engine)
        assert (status, err) == (0, "") and "300 tokens" in out
        files.append(json.loads((tmp_path / engine / "tokenizer.json").read_text(encoding="utf-8"))["model"]["merges"])
    assert [list(pair) for pair in files[0]] == [list(pair) for pair in files[1]]
    for text in ("The cat, \u00e9t\u00e9 \u6625\n x", "-1 --help", "<|endoftext|>", " "):
        for path in (tmp_path / "library", tmp_path / "written" / "tokenizer.json"):
            status, out, _ = minillm("tokenizer", "encode", path, "--", text)
            assert status == 0
            assert minillm("tokenizer", "decode", path, *out.split())[:2] == (0, text + "\n")


# Mistakes ---------------------------------------------------------------------------------------------------

def mistake(result, match):
    """Exit status 2, nothing on standard output, one line on standard error that matches."""
    status, out, err = result
    assert status == 2 and out == "" and "Traceback" not in err
    assert len(err.splitlines()) == 1 and err.startswith("minillm: ") and len(err) < 500, err
    assert re.search(match, err), err


def test_wrong_options(runs, minillm, tmp_path):
    book, new = runs / "book.txt", ["--out", tmp_path / "new"]
    for arguments, match in (
            (["fly"], "invalid choice: 'fly'.*demo.*--help"),
            (["tokenizer"], "train\\|extend\\|encode\\|decode"),
            (["distill", runs / "bpe"], "required: --out"),
            (["pretrain", book, *new, "--wings", "2"], "unrecognized arguments: --wings 2"),
            (["pretrain", book, *new, "--steps", "many"], "--steps: invalid int value: 'many'"),
            (["pretrain", book, *new, "--steps", "0"], "steps is 0"),
            (["pretrain", book, *new, "--learning-rate", "-1"], "learning_rate is -1.0"),
            (["pretrain", book, *new, "--learning-rate", "nan"], "learning_rate is nan"),
            (["pretrain", book, *new, "--twin", "torch"], "'torch'.*numpy.*jax"),
            (["pretrain", book, *new, "--model", "huge"], "'huge'.*nano.*depth"),
            (["pretrain", book, *new, "--model", "0"], "depth 0.*1 to 128"),
            (["pretrain", book, *new, "--model", "-3"], "'-3'"),
            (["pretrain", book, *new, "--head-dim", "7"], "head_dim is 7"),
            (["pretrain", book, *new, "--num-key-value-heads", "3"], "num_key_value_heads is 3"),
            (["pretrain", book, *new, "--matmul-precision", "int8"], "matmul-precision.*bfloat16"),
            (["pretrain", book, *new, "--vocab-size", "10"], "10 is too small"),
            (["pretrain", book, *new, "--megabytes", "-1"], "megabytes -1.0"),
            (["data", book], "--out --show is required"),
            (["data", book, "--show", "0"], "--show is 0"),
            (["generate", runs / "bpe", "--temperature", "-1"], "temperature is -1.0"),
            (["generate", runs / "bpe", "--top-p", "0"], "top_p is 0.0"),
            (["generate", runs / "bpe", "--max-new-tokens", "-1"], "max_new_tokens is -1"),
            (["evaluate", runs / "bpe", "--context", "17"], "--context is 17.*1 to 16"),
            (["evaluate", runs / "bpe", "--batch-size", "0"], "--batch-size is 0"),
            (["evaluate", runs / "bpe", "--text", "a", "--data", "b"], "not allowed with")):
        mistake(minillm(*arguments), match)


def test_wrong_paths(runs, minillm, tmp_path):
    book, new = runs / "book.txt", ["--out", tmp_path / "new"]
    (tmp_path / "latin1.txt").write_bytes(b"caf\xe9 " * 1000)
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for arguments, match in (
            (["pretrain", tmp_path / "absent.txt", *new], "absent.txt: no such file.*storyworld"),
            (["pretrain", tmp_path / "folder", *new], "folder: no text files"),
            (["pretrain", tmp_path / "latin1.txt", *new], "latin1.txt: byte 3 is not UTF-8"),
            (["pretrain", tmp_path / "empty.txt", *new], "empty.txt: the file is empty"),
            (["pretrain", book, "--out", book / "below"], "below: cannot be made a folder"),
            (["pretrain", book, "--out", book], "book.txt: cannot be made a folder"),
            (["pretrain", book, *new, "--resume"], "nothing|no training_state"),
            (["pretrain", book, *new, "--tokenizer", tmp_path / "absent"], "absent"),
            (["data", book, "--out", book / "below"], "below: cannot be written"),
            (["data", tmp_path / "absent.txt", "--show", "1"], "no such file"),
            (["tokenizer", "train", book, "--out", book / "below"], "below.*cannot save"),
            (["tokenizer", "encode", tmp_path / "absent", "a"], "absent"),
            (["tokenizer", "encode", tmp_path / "folder", "a"], "folder"),
            (["tokenizer", "decode", book, "1"], "book.txt"),
            (["generate", tmp_path / "absent"], "absent: there is no such file or folder"),
            (["generate", book], "book.txt: not a checkpoint"),
            (["generate", tmp_path / "folder"], "config.json: there is no such file"),
            (["evaluate", tmp_path / "absent"], "absent: there is no such"),
            (["evaluate", runs / "bpe", "--text", tmp_path / "absent.txt"], "absent.txt: cannot be read"),
            (["evaluate", runs / "bpe", "--text", tmp_path / "folder"], "folder: cannot be read"),
            (["evaluate", runs / "bpe", "--text", tmp_path / "latin1.txt"], "latin1.txt: byte 3 is not UTF-8"),
            (["evaluate", runs / "bpe", "--text", tmp_path / "empty.txt"],
             "empty.txt: the file is empty"),
            (["evaluate", runs / "bpe", "--data", tmp_path / "folder"], "folder: not a dataset")):
        twin = ["--twin", "numpy"] if arguments[0] in ("pretrain", "generate", "evaluate") else []
        mistake(minillm(*arguments, *twin), match)


def test_text_too_short(runs, minillm, tmp_path):
    (tmp_path / "short.txt").write_text("Once upon a time.", encoding="utf-8")
    result = minillm("pretrain", tmp_path / "short.txt", "--characters", "--out", tmp_path / "run", "--context", "64",
                     "--twin", "numpy")
    assert result[0] == 2 and "a context of 64 needs at least 65" in result[2] and len(result[2].splitlines()) == 1
    # What was tried leaves nothing in the way of the next try.
    assert minillm("pretrain", tmp_path / "short.txt", "--characters", "--out", tmp_path / "run", "--context", "4",
                   "--twin", "numpy", "--steps", "2", "--model", "1")[0] == 0


def test_tokens_and_prompts(runs, minillm, tmp_path):
    mistake(minillm("tokenizer", "decode", runs / "bpe", "99999"), "99999.*highest is 299")
    mistake(minillm("tokenizer", "decode", runs / "bpe", "-1"), "-1")
    mistake(minillm("tokenizer", "decode", runs / "bpe", "one"), "invalid int value: 'one'")
    mistake(minillm("generate", runs / "bpe", "--twin", "numpy", "--prompt", "xyz" * 20), "61 tokens.*16.*15 or fewer")
    mistake(minillm("generate", runs / "characters", "--twin", "numpy"), "the prompt is empty")
    mistake(minillm("generate", runs / "characters", "--twin", "numpy", "--prompt", "\u6625"), "u6625.*not in the vocabulary")
    mistake(minillm("generate", runs / "bpe", "--twin", "numpy", "--prompt", "\udc80"), "surrogate")
    shutil.copytree(runs / "bpe", tmp_path / "bare", ignore=shutil.ignore_patterns("tokenizer*", "data"))
    mistake(minillm("generate", tmp_path / "bare", "--twin", "numpy"), "no tokenizer.json")
    mistake(minillm("evaluate", tmp_path / "bare", "--text", runs / "book.txt"), "no tokenizer.json")
    mistake(minillm("evaluate", tmp_path / "bare"), "--text FILE or --data DIR")


def test_damaged_checkpoints(runs, minillm, tmp_path):
    for file, damage, match in (
            ("model.safetensors", lambda raw: raw[: len(raw) // 2], "model.safetensors"),
            ("model.safetensors", lambda raw: b"", "model.safetensors"),
            ("model.safetensors", lambda raw: b"\xff" * 100, "model.safetensors"),
            ("config.json", lambda raw: raw[:40], "config.json"),
            ("config.json", lambda raw: raw.replace(b'"num_hidden_layers": 1', b'"num_hidden_layers": 2'), "model.safetensors"),
            ("config.json", lambda raw: raw.replace(b'"llama"', b'"bert"'), "model_type is 'bert'"),
            ("tokenizer.json", lambda raw: raw[: len(raw) // 2], "tokenizer.json"),
            ("data/train.npy", lambda raw: raw[:-2], "train.npy")):
        folder = shutil.copytree(runs / "bpe", tmp_path / "run")
        (folder / file).write_bytes(damage((folder / file).read_bytes()))
        mistake(minillm("evaluate", folder, "--twin", "numpy", "--json"), match)
        if not file.startswith("data"):
            mistake(minillm("generate", folder, "--twin", "numpy"), match)
        shutil.rmtree(folder)


@pytest.mark.filterwarnings("error")
def test_weights_that_are_not_numbers(runs, minillm, tmp_path):
    folder = shutil.copytree(runs / "bpe", tmp_path / "run")
    config, params, _ = checkpoint.load_model(folder)
    for value in (np.nan, np.inf):
        checkpoint.save_params(folder, config, tree_map(lambda leaf: np.full_like(leaf, value), params))
        for twin in ("numpy", "jax"):
            mistake(minillm("evaluate", folder, "--twin", twin, "--json"), "run: the loss is (nan|inf).*not finite")


def test_the_training_state_is_damaged(runs, minillm, tmp_path):
    folder = shutil.copytree(runs / "bpe", tmp_path / "run")
    state = folder / training.STATE
    again = ["pretrain", runs / "book.txt", "--vocab-size", "300", "--out", folder, *SMALL, "--resume"]
    state.write_bytes(state.read_bytes()[:-100])
    status, _, err = minillm(*again)
    assert status == 2 and len(err.splitlines()) == 1 and training.STATE in err


def test_a_diverging_run_is_one_line(runs, tmp_path):
    status, _, err = process("pretrain", runs / "bpe" / "data", "--out", tmp_path / "run", *SMALL, "--learning-rate", "1e30")
    assert status == 2 and len(err.splitlines()) == 1 and "lower learning rate" in err


@pytest.mark.parametrize("flag", ["--shard", "--recompute"])
def test_what_a_twin_lacks_is_refused_before_anything_is_written(tmp_path, capsys, flag):
    out = tmp_path / "run"
    assert cli.main(["pretrain", "storyworld", "--twin", "numpy", flag, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert f"{flag} is 'given'" in error and "left out with --twin numpy" in error
    assert error.count("\n") == 1 and not out.exists()
