"""Promises of tuning: a run is resumed bit for bit, whatever it trains; answers learned are given;
the command line does it all, and mistakes are one line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from minillm import cli, load, training, tuning
from minillm.config import GenerateConfig, TrainConfig, TuneConfig
from minillm.errors import UserError
from minillm.formats import adapter
from minillm.tuning.conversations import Conversation

TRAIN = TrainConfig(steps=14, batch_size=2, context=64, learning_rate=3e-3, warmup_steps=2,
                    optimizer="adamw", weight_decay=0.0, steps_per_dispatch=3, eval_every=4,
                    eval_rows=4, save_every=5, sample_every=6, cpu_devices=1)
LORA = TuneConfig(method="lora", rank=2, targets="q_proj,down_proj")
GRPO = TuneConfig(method="grpo", group=2)
WAYS = {"sft": TuneConfig(), "lora": LORA, "grpo": GRPO, "dpo": TuneConfig(method="dpo"),
        "grpo adapters": replace(LORA, method="grpo", group=2, trained="adapters"),
        "dpo adapters": replace(LORA, method="dpo", trained="adapters")}


def data_of(model):
    task = tuning.task_of("desk")
    return tuning.of_conversations("desk", model, 64, task.conversations("train", 40),
                                   task.conversations("validation", 8), task=task)


class Interrupt(training.Callbacks):
    """Ctrl-C, where a dispatch has ended at step 6."""

    def stepped(self, step, loss, speed):
        if step == 6:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def base(small, tmp_path_factory):
    """The small model in a folder, with a template."""
    folder = tmp_path_factory.mktemp("base")
    small.save(folder / "model")
    return tuning.with_template(load(folder / "model"))


@pytest.mark.parametrize("way, twin", [("sft", "numpy"), ("lora", "numpy"), ("lora", "jax"),
                                       ("grpo", "numpy"), ("dpo", "numpy"),
                                       ("grpo adapters", "numpy"), ("dpo adapters", "jax"),
                                       pytest.param("sft", "jax", marks=pytest.mark.slow),
                                       pytest.param("grpo", "jax", marks=pytest.mark.slow)])
def test_resumed_it_is_the_uninterrupted_run(way, twin, base, tmp_path):
    data, how = data_of(base), WAYS[way]
    said = []

    class Listen(training.Callbacks):
        def sampled(self, step, text):
            said.append((step, text))

    tuning.run(tmp_path / "whole", base, TRAIN, how, data, twin=twin, callbacks=Listen())
    with pytest.raises(KeyboardInterrupt):
        tuning.run(tmp_path / "parts", base, TRAIN, how, data, twin=twin, callbacks=Interrupt())
    tuning.run(tmp_path / "parts", base, TRAIN, how, data, twin=twin, resume=True)
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    model = adapter.MODEL if how.adapts else "model.safetensors"
    assert {model, "metrics.jsonl", "training_state.safetensors", "tokenizer_config.json"} <= names
    for name in (model, "metrics.jsonl"):
        one, other = ((tmp_path / run / name).read_bytes() for run in ("whole", "parts"))
        assert one == other, name
    assert [step for step, _ in said] == [6, 12] and all(" -> " in text for _, text in said)
    losses = [r["held_out"] for r in training.read_metrics(tmp_path / "whole" / "metrics.jsonl")
              if "held_out" in r]
    assert losses[-1] < losses[0] or how.method in ("dpo", "grpo")
    opened = load(tmp_path / "whole")
    assert opened.chat_template == base.chat_template and opened.config == base.config


def test_another_method_or_base_is_not_resumed(base, tmp_path):
    data = data_of(base)
    short = replace(TRAIN, steps=2)
    tuning.run(tmp_path, base, short, LORA, data, twin="numpy")
    for model, how, says in ((base, replace(LORA, alpha=3.0), "tune alpha"),
                             (replace(base, params=base.params | {"norm": base.params["norm"] * 2}),
                              LORA, "base")):
        with pytest.raises(UserError, match=f"another {says}"):
            tuning.run(tmp_path, model, short, how, data, twin="numpy", resume=True)


@pytest.mark.slow
def test_what_is_learned_is_answered(base, tmp_path):
    talks = [[{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
             for question, answer in (("What is 2 and 3?", "5"), ("Where is the kite?", "Here."))]
    talks = [Conversation(talk, "here") for talk in talks * 4]
    data = tuning.of_conversations("talks", base, 96, talks, talks[:2])
    train = replace(TRAIN, steps=60, context=96, optimizer="muon", learning_rate=1e-2,
                    muon_learning_rate=0.05, sample_every=0, eval_every=20)
    tuning.run(tmp_path, base, train, TuneConfig(), data, twin="jax")
    model = load(tmp_path)
    prompts = tuning.prompts(model, [talk.messages[0]["content"] for talk in talks[:2]], 8)
    for twin in ("numpy", "jax"):
        how = GenerateConfig(max_new_tokens=8, temperature=0)
        written = tuning.write(model, prompts, how, twin)
        assert tuning.texts(model, written) == ["5", "Here."]
    alone = list(model.continuation(prompts[1], "numpy", how, None, model.answer_ends))
    assert written[1][:-1] == alone


@pytest.mark.slow
@pytest.mark.parametrize("beta, learns", [(0.0, True), (0.1, False)])
def test_rewards_make_right_answers_likelier(beta, learns, base, tmp_path):
    """The share of one letter is the grade: answers get more of it, whatever was asked. One more
    letter gains 0.03 or so; a beta of 0.1 counts more than that, and holds the model."""
    task = tuning.task_of("desk")
    task = replace(task, reward=lambda question, answer: answer.count("a") / (1 + len(answer)))
    train = replace(TRAIN, steps=40, batch_size=32, learning_rate=1e-2, eval_every=40,
                    save_every=40, sample_every=0)
    how = replace(GRPO, group=8, beta=beta)
    tuning.run(tmp_path, base, train, how, replace(data_of(base), task=task), twin="jax")
    log = [record for record in training.read_metrics(tmp_path / "metrics.jsonl")
           if "reward" in record]
    first, last = (np.mean([record["reward"] for record in some]) for some in (log[:4], log[-6:]))
    assert len(log) == 40 and (last > 4 * first if learns else last < 2 * first)
    assert log[0]["groups_that_differ"] == 1


def test_advantages_compare_with_the_group_alone():
    rng = np.random.default_rng(3)
    rewards_QG = rng.random((5, 4))
    advantages = tuning.rewarded.advantages(rewards_QG)
    assert np.max(np.abs(advantages.mean(axis=1))) < 1e-15
    easier = rewards_QG + rng.random((5, 1))     # what a whole group has more is nobody's merit
    assert np.max(np.abs(tuning.rewarded.advantages(easier) - advantages)) < 1e-15
    alike = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    assert tuning.rewarded.differing(alike, 2) == 1 / 3
    assert tuning.rewarded.differing(alike, 6) == 1


def test_dpo_tells_right_answers_from_wrong_ones(base, tmp_path):
    train = replace(TRAIN, steps=12, batch_size=8, eval_every=12, save_every=12, sample_every=0)
    tuning.run(tmp_path, base, train, WAYS["dpo"], data_of(base), twin="numpy")
    losses = [record["loss"] for record in training.read_metrics(tmp_path / "metrics.jsonl")
              if "loss" in record]
    assert abs(losses[0] - np.log(2)) < 1e-5 and np.mean(losses[-3:]) < 0.6


def test_pass_at_k_is_what_counting_says():
    rng = np.random.default_rng(0)
    for right, times, k in ((0, 5, 3), (2, 6, 3), (5, 5, 1), (1, 4, 4)):
        draws = [rng.permutation(times)[:k].min() < right for _ in range(4000)]
        assert abs(tuning.pass_at(k, right, times) - np.mean(draws)) < 0.03


@pytest.mark.parametrize("difficulty", [1, 2, 3])
@pytest.mark.parametrize("name", ["sums", "steps", "desk"])
def test_there_is_room_for_every_right_answer(name, difficulty, base, monkeypatch):
    """What evaluate and GRPO let a model write ends after the longest right answer."""
    task, model = tuning.task_of(name, difficulty), tuning.with_template(base)
    examples = task.some("validation", 300)
    lengths = [len(model.tokenizer.encode(example.answer)) for example in examples]
    assert tuning.answer_room(model, examples) > max(lengths) and min(lengths) > 0
    asked = []
    monkeypatch.setattr(tuning, "graded", lambda model, examples, reward, sampling, *_:
                        asked.append(sampling.max_new_tokens) or (np.zeros((300, 1)), [""] * 300))
    assert cli.main(["evaluate", base.source, "--task", name, "--difficulty", str(difficulty),
                     "--questions", "300", "--twin", "numpy"]) == 0
    assert asked == [tuning.answer_room(model, examples)]


FLAGS = ["--twin", "numpy", "--steps", "4", "--batch-size", "2", "--context", "64", "--eval-every",
         "2", "--eval-rows", "2", "--examples", "30", "--sample-every", "2", "--rank", "2"]


@pytest.mark.parametrize("method", ["sft", "lora"])
def test_the_command_line_tunes_and_grades(method, base, tmp_path, capsys):
    out = str(tmp_path / "run")
    assert cli.main(["tune", base.source, "--data", "sums", "--method", method, "--out", out,
                     *FLAGS]) == 0
    shown = capsys.readouterr().out
    for words in ("conversations in", "[[", "writes:", "trained", f"evaluate {out} --task sums"):
        assert words in " ".join(shown.split()), words
    assert cli.main(["tune", "--resume", "--out", out]) == 0
    text = tmp_path / "text.txt"
    text.write_text("What is 2 and 3? " * 20, encoding="utf-8")
    capsys.readouterr()
    assert cli.main(["evaluate", out, "--task", "sums", "--questions", "6", "--times", "2",
                     "--text", str(text), "--twin", "numpy", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["answers"] == 12 and set(result["by_kind"]) <= {"sum", "word problem"}
    assert result["accuracy_95"][0] <= result["accuracy"] <= result["accuracy_95"][1]
    before, after = result["forgetting"]["held_out"]
    assert before > 0 and after != before and result["before"] == base.source
    assert cli.main(["evaluate", out, "--task", "desk", "--questions", "3", "--twin", "numpy"]) == 0
    assert "right" in capsys.readouterr().out


TALK = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
PICKY = ("{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
         "{% endif %}{{ m.content + eos_token }}{% endfor %}")
BAD_ROWS = {"a role that the template refuses": (
                {"messages": [{"role": "system", "content": "c"}, *TALK]},
                "the chat template refuses it (TemplateError: no system): change the row"),
            "an unknown role": ({"messages": [*TALK, {"role": "tool", "content": "c"}]},
                                "has the role 'tool': write system, user or assistant"),
            "an empty answer": ({"messages": [TALK[0], TALK[1] | {"content": ""}]},
                                "is an empty answer: write one, or leave the row out"),
            "a long answer": ({"messages": [TALK[0], TALK[1] | {"content": "b " * 99}]},
                              "shorten it, or give a larger --context"),
            "no conversation": ({"question": "a"}, 'is no conversation: write {"messages"'),
            "an id twice": ({"messages": TALK, "id": 7}, "give it its own, or leave one of them")}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_ends_the_command_with_its_number_and_a_remedy(name, base, tmp_path, capsys):
    row, says = BAD_ROWS[name]
    rows = [{"messages": TALK, "id": 7}, *[{"messages": TALK}] * 4]
    rows.insert(3, row)
    path = tmp_path / "talks.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    replace(base, chat_template=PICKY).save(tmp_path / "picky")
    assert cli.main(["tune", str(tmp_path / "picky"), "--data", str(path), "--twin", "numpy",
                     "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"minillm: {path}: row 4") and says in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


MISTAKES = {"group": (["--data", "desk", "--method", "grpo", "--group", "3"], "a multiple of"),
            "no data": ([], "--data is missing"),
            "no file": (["--data", "gone.jsonl"], "not a task"),
            "target": (["--data", "desk", "--method", "lora", "--targets", "q_proj,x"],
                       "target 'x'"),
            "context": (["--data", "desk", "--context", "999"], "reads 96 tokens at most"),
            "rank": (["--data", "desk", "--rank", "0"], "rank is 0"),
            "twin": (["--data", "desk", "--twin", "numpy", "--recompute"], "left out with --twin")}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line(name, base, tmp_path, capsys):
    flags, says = MISTAKES[name]
    assert cli.main(["tune", base.source, "--out", str(tmp_path / "run"), *flags]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()
