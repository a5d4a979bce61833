"""llama2.c's own programs beside the twins in `minillm bench`: `run` in float32, `runq` in int8.

In the tokenizer that is written for them every token is one character. So a prompt of any ids can
be given as text, whatever the model's tokenizer is, and what they print can be read as ids.
"""

import math
import re
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryFile

from minillm.errors import UserError

PROGRAMS = {"float32": "run", "int8-group32": "runq"}
BEGIN, SPACE = 1, 2  # every text begins with token 1; every prompt is given a space before it
LETTERS = 0x10000  # the character of token 0: no control character, no surrogate follows


def program(folder, form: str) -> Path:
    """The program of a form. Raises UserError where the folder does not hold it."""
    name = PROGRAMS[form]
    for path in (Path(folder) / name, Path(folder) / f"{name}.exe"):
        if path.is_file():
            return path.resolve()
    raise UserError(f"--llama2c {folder}: holds no program {name}: give the folder of llama2.c "
                    "where make built run and runq")


def prepare(folder: Path, config, params):
    """Write model.bin and tokenizer.bin for a program. Raises UserError as llama2c_out.write."""
    from minillm.formats import llama2c_out

    folder.mkdir()
    letters = [letter(i).encode() for i in range(config.vocab_size)]
    llama2c_out.write(folder / "model.bin", config, params)
    llama2c_out.write_tokenizer(folder / "tokenizer.bin", letters, [0.0] * len(letters))


def letter(token: int) -> str:
    """The character that stands for a token."""
    return " " if token == SPACE else chr(LETTERS + token)


def token_of(character: str) -> int:
    """The inverse of `letter`."""
    return SPACE if character == " " else ord(character) - LETTERS


class Program:
    """A program with its files: what it writes, how fast, the most memory that it was seen with."""

    def __init__(self, path, folder):
        self.path, self.folder, self.peak = str(path), Path(folder), 0

    def write(self, prompt: list[int], count: int) -> tuple[list[int], float]:
        """`count` tokens at temperature 0 after `prompt` (fewer where token 1 ends the text), and
        tokens a second of reading and writing. The prompt is [BEGIN] or [BEGIN, SPACE, ...].

        Raises UserError: the program ends otherwise than llama2.c's do.
        """
        text = "".join(map(letter, prompt[2:]))
        out, rate = self.call(len(prompt) - 1 + count, ["-i", text] if text else [])
        if not out.startswith(text):
            raise UserError(f"{self.path}: does not print the prompt first, as llama2.c's do")
        return [token_of(character) for character in out[len(text):]], rate

    def call(self, steps: int, more: list[str]) -> tuple[str, float]:
        """What it prints in so many steps, and its own tokens a second (0 of the first step)."""
        import psutil

        told = [self.path, "model.bin", "-z", "tokenizer.bin", "-t", "0", "-n", str(steps), *more]
        with TemporaryFile() as out, TemporaryFile() as err:
            try:
                process = subprocess.Popen(told, stdout=out, stderr=err, cwd=self.folder)
            except OSError as error:
                raise UserError(f"{self.path}: does not run here ({error.strerror})") from None
            pause = 0.001
            while process.poll() is None:
                try:
                    self.peak = max(self.peak, psutil.Process(process.pid).memory_info().rss)
                except psutil.Error:
                    pass                                        # it has ended just now
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
            out.seek(0)
            err.seek(0)
            text, said = (file.read().decode("utf-8", "replace") for file in (out, err))
        found = re.search(r"achieved tok/s: *(\S+)", said)
        if process.returncode or not (found or steps == 1):
            last = (said.strip().splitlines() or ["it said nothing"])[-1]
            raise UserError(f"{self.path}: ended with {process.returncode} and no tok/s "
                            f"({last[:200]})")
        return text.removesuffix("\n"), float(found[1]) if found else 0.0


def llama2_c(folder, form: str, room: int, path: str):
    """llama2.c's program at `path` with the files of `prepare`: (turn, memory) as peers.START says.
    It reads a prompt as it writes, a token at a time, so it has one rate for both."""
    running = Program(path, folder)
    running.write([BEGIN], 1)                              # loads the file, as a first call does

    def turn(prompt, count):
        _, rate = running.write([BEGIN, SPACE, *prompt[2:]] if prompt[2:] else [BEGIN], count)
        if not math.isfinite(rate):
            raise UserError(f"{path}: was done before its clock of milliseconds moved: choose more "
                            "--new-tokens")
        return len(prompt) / rate, count / rate

    return turn, lambda: running.peak
