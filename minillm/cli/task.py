"""`minillm evaluate --task`: how many questions a model answers right, and what it forgot."""

import json
from argparse import Namespace
from pathlib import Path

from minillm.cli.progress import telling
from minillm.cli.train import OPTIONS
from minillm.config import GenerateConfig
from minillm.errors import UserError, require
from minillm.files import read_json

KS = (1, 2, 4, 8, 16, 32)  # pass@k
DIFFICULTY = 2  # the default


def add_task(command):
    """The options of a task."""
    group = command.add_argument_group("a task")
    group.add_argument("--task", choices=("sums", "steps", "desk"),
                       help="ask the held-out questions of a task and grade the answers; then "
                       "--text or --data is where forgetting is measured (default: what the "
                       "model before was trained on)")
    group.add_argument("--questions", type=int, default=200, metavar="N",
                       help="questions to ask")
    group.add_argument("--times", type=int, default=1, metavar="N",
                       help="answers to each question; more than one are sampled at temperature "
                       "1 and give pass@k")
    add_difficulty(group)
    group.add_argument("--before", metavar="PATH",
                       help="the model before tuning (default: the one that the run names)")


def add_difficulty(parser):
    """The option that says how hard sums are."""
    parser.add_argument("--difficulty", type=int, default=DIFFICULTY, choices=(1, 2, 3),
                        help="digits of the numbers in sums and steps")


def evaluate_task(options, rows_of):
    """Grade the answers of a model; `rows_of(options, model)` are the rows of --text or --data.

    Raises UserError for one that cannot answer.
    """
    from minillm import tuning
    from minillm.inspection.scoring import share_interval
    from minillm.loading import load

    for name in ("questions", "times"):
        require(getattr(options, name) >= 1, f"--{name}", getattr(options, name), "at least 1")
    task = tuning.task_of(options.task, options.difficulty)
    model = tuning.with_template(load(options.path, options.tokenizer, options.dtype))
    model.check_twin(options.twin)
    before = options.before or started_from(options.path)
    examples = task.some("validation", options.questions)
    sampling = GenerateConfig(max_new_tokens=tuning.answer_room(model, examples),
                              temperature=float(options.times > 1))
    with telling("answering") as tell:
        rewards, answers = tuning.graded(model, examples, task.reward, sampling, options.twin,
                                         options.times)
        tell("measuring")
        answer_loss = tuning.answer_loss(model, examples, options.twin)
        forgotten = forgetting(options, before, rows_of) if before else {}
    right = rewards.sum(axis=1).astype(int)
    share, low, high = share_interval(int(right.sum()), rewards.size)
    kinds = sorted({example.kind for example in examples})
    result = {"path": str(options.path), "task": task.name, "questions": len(examples),
              "answers": int(rewards.size), "accuracy": share, "accuracy_95": [low, high],
              "by_kind": {kind: float(rewards[[e.kind == kind for e in examples]].mean())
                          for kind in kinds},
              "pass_at": {k: sum(tuning.pass_at(k, int(r), options.times) for r in right)
                          / len(right) for k in KS if 1 < k <= options.times},
              "answer_loss": answer_loss, **forgotten}
    if options.json:
        print(json.dumps(result))
        return
    show(result, [(e, a) for e, a, r in zip(examples, answers, rewards) if not r[0]])


def started_from(path) -> str | None:
    """The model that a run of tuning began with, where it is still there."""
    try:
        options = read_json(Path(path) / OPTIONS).get("options", {})
    except UserError:
        return None
    before = options.get("path") if isinstance(options, dict) else None
    return before if isinstance(before, str) and Path(before).exists() else None


def forgetting(options, before: str, rows_of) -> dict:
    """The loss on other text of the model before and of this one, in nats a token."""
    from minillm import training
    from minillm.loading import load, twin_package

    if not (options.text or options.data or (Path(before) / "data").is_dir()):
        return {}
    losses, where = [], options.data or (None if options.text else str(Path(before) / "data"))
    for path in (before, options.path):
        model = load(path)
        rows = rows_of(Namespace(**vars(options) | {"data": where, "path": path}), model)
        params = model.on(options.twin).params
        losses.append(training.evaluate(twin_package(options.twin), params, model.config, rows,
                                        options.batch_size))
    names = ("held_out", "nats_per_document")
    return {"before": before, "forgetting": {
        name: [record[name] for record in losses] for name in names if name in losses[0]}}


def show(result: dict, wrong: list):
    """Print what was measured, and three answers that were wrong."""
    low, high = result["accuracy_95"]
    print(f"{'right':20} {result['accuracy']:.1%} of {result['answers']:,} answers "
          f"(95%: {low:.1%} to {high:.1%})")
    for kind, share in result["by_kind"].items():
        print(f"{'  ' + kind:20} {share:.1%}")
    for k, share in result["pass_at"].items():
        print(f"{f'  pass@{k}':20} {share:.1%}")
    print(f"{'loss of the answers':20} {result['answer_loss']:.4f} nats a token")
    for name, (before, after) in result.get("forgetting", {}).items():
        unit = "nats a token" if name == "held_out" else "nats a story"
        print(f"{'other text':20} {before:.4f} before, {after:.4f} now ({after - before:+.4f} "
              f"{unit})")
    for example, answer in wrong[:3]:
        print(f"{'wrong':20} {example.question} -> {' '.join(answer.split())!r}, right: "
              f"{example.answer!r}")
