"""From a model that goes on to one that answers: tasks, templates, masks, tuning, grading."""

from minillm.tuning.answers import answer_room, prompts, texts, write
from minillm.tuning.compared import check_task
from minillm.tuning.data import Data, of_conversations, read_data
from minillm.tuning.grading import answer_loss, graded, pass_at
from minillm.tuning.replay import check_replay, with_replay
from minillm.tuning.run import check, cost, ready, run
from minillm.tuning.tasks import TASKS, Task, task_of
from minillm.tuning.template import with_template

__all__ = ["TASKS", "Data", "Task", "answer_loss", "check", "check_replay", "check_task", "cost",
           "graded", "of_conversations", "pass_at", "prompts", "read_data", "ready", "run",
           "task_of", "texts", "with_replay", "with_template", "write"]
