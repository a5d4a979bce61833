"""Renders one chat template, in a process of its own: run as a script by process.py, never imported.

A template is a program of whoever made the checkpoint. It runs in Jinja's sandbox, and this process has little time and
memory. In: JSON {"template", "each": [variables, ...]} on standard input; out: a JSON list of
{"text"} or {"error"}. Only jinja2 is needed.
"""

import json
import sys
from datetime import datetime

MEMORY = 512 * 2**20     # bytes
LONGEST = 2_000_000      # characters


def limit_memory():
    """As far as the platform can: Windows cannot, macOS does not heed it; there the time limit has to do."""
    try:
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):
        pass


def environment():
    """The sandbox with what transformers offers to a template."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """{% generation %} ... {% endgeneration %} marks what the model wrote, for training: here it is plain text."""

        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_plain"), [], [], body).set_lineno(line)

        def _plain(self, caller):
            return caller()

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    def raise_exception(message):
        raise TemplateError(message)

    sandbox = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                            extensions=[Generation, loopcontrols])
    sandbox.filters["tojson"] = tojson
    sandbox.globals |= {"raise_exception": raise_exception,
                        "strftime_now": lambda form: datetime.now().strftime(form)}
    return sandbox


def render(template, each) -> list[dict]:
    """For each set of variables {"text": what the template gives} or {"error": why not}."""
    try:
        compiled = environment().from_string(template)
    except Exception as error:                     # whatever a stranger's program raises
        return [refused(error)] * len(each)
    return [one(compiled, variables) for variables in each]


def one(compiled, variables) -> dict:
    """What `render` gives for one set of variables."""
    try:
        text = compiled.render(**variables)
    except Exception as error:                     # whatever a stranger's program raises
        return refused(error)
    return {"text": text} if len(text) <= LONGEST else {
        "error": f"it writes {len(text):,} characters"}


def refused(error) -> dict:
    """Why not, in words."""
    if isinstance(error, MemoryError):
        return {"error": "it needs too much memory"}
    return {"error": f"{type(error).__name__}: {str(error)[:300]}"}


if __name__ == "__main__":
    limit_memory()
    asked = json.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(json.dumps(render(asked["template"], asked["each"])).encode())
