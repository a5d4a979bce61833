"""Pages that hold a model: one HTML file that loads nothing and runs its own script alone."""

import base64
import hashlib
import json
import os
from functools import cache
from importlib.resources import files
from itertools import count
from pathlib import Path

import jinja2
from markupsafe import Markup

from minillm import __version__
from minillm.errors import UserError, printable
from minillm.files import megabytes
from minillm.in_page.embedding import LARGEST, embedded
from minillm.loading import Model

SCRIPTS = ("llama.js", "tokenizer.js", "loading.js", "elements.js", "playground.js")
WIDGET = ("llama.js", "elements.js")  # and its own
# widgets that run the model of `shared`
WITH_MODEL = ("attending", "lens", "live", "patching", "rounding")
HOST = 'document.getElementById("playground")'
START = f"""const data = JSON.parse(document.getElementById("data").textContent);
Playground({HOST}, load(data), data.settings);"""
LIVE = ("llama.js", "tokenizer.js", "loading.js", "elements.js", "live.js")
START_LIVE = """const data = JSON.parse(document.getElementById("live-data").textContent);
window.live = Live(document.getElementById("live"), load(data), data.settings);"""
STILL = 'matchMedia("(prefers-reduced-motion: reduce)").matches'
TITLE = b"<title>Playground: "


def playground(model: Model, title: str, prompt: str = "", largest: int = LARGEST) -> str:
    """The page of `minillm playground`. Raises UserError for what does not run in a page."""
    data = contents(model, prompt, largest)
    style, code = asset("playground.css"), script(START)
    return template("playground.html").render(
        policy=policy(style, code), style=Markup(style), script=Markup(code), data=data,
        title=printable(title, 80, quoted=False), family=data["family"], version=__version__,
        parameters=f"{data['parameters']:,}", size=megabytes(data["bytes"]))


def contents(model: Model, prompt: str, largest: int = LARGEST, **settings) -> dict:
    """The model and what its page begins with. Raises UserError."""
    beginning = model.config.bos_token_id
    usual = {"prompt": prompt, "temperature": 0.8, "length": 100, "pause": 0, "begin": False,
             "head": [0, 0], "empty": [] if beginning is None else [beginning]}
    return embedded(model, largest) | {"settings": usual | settings}


def live(model: Model, prompt: str, other: str = "", largest: int = LARGEST) -> dict:
    """What the live part of a report holds: the model, and the prompts that it begins with.

    Raises UserError for what does not run in a page.
    """
    return contents(model, prompt, largest, other=other)


def story(model: Model, prompt: str, **settings) -> str:
    """A script for a page of the site: a playground in its #playground, which begins to write."""
    data = contents(model, prompt, length=50, pause=45, **settings)  # about reading speed
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return script(f"const data = {text};\ndata.settings.begin = !{STILL};\n"
                  f"Playground({HOST}, load(data), data.settings);")


def widget(name: str, data) -> str:
    """A script for a page of a lesson: NAME.js of assets/ draws `data` in #widget-NAME.

    One of WITH_MODEL runs the model of the script that `shared` gives, which comes before it.
    """
    model = "load(window.minillm_model), " if name in WITH_MODEL else ""
    names = LIVE[:-1] if model else WIDGET
    start = (f'{name.capitalize()}(document.getElementById("widget-{name}"), {model}'
             f"{json.dumps(data, allow_nan=False)});")
    return script(start, (*names, f"{name}.js"))


def shared(model: Model) -> str:
    """A script that holds a model for all widgets of a page. Raises UserError."""
    text = json.dumps(embedded(model), allow_nan=False, separators=(",", ":"))
    return f'"use strict";\nwindow.minillm_model = {text};\n'


def script(start: str, names=SCRIPTS) -> str:
    """Scripts as one, in a scope of its own, which then runs `start`."""
    return "\n".join(['"use strict";', "(() => {", *map(asset, names), start, "})();"])


def asset(name: str) -> str:
    """A file of assets/."""
    return (files("minillm.in_page") / "assets" / name).read_text(encoding="utf-8")


@cache
def template(name: str) -> jinja2.Template:
    """A page of assets/. What is put into it is escaped."""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("minillm.in_page", "assets"),
                                     undefined=jinja2.StrictUndefined, autoescape=True)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment.get_template(name)


def policy(css: str, js: str) -> str:
    """A Content-Security-Policy: load nothing, and run only this style and this script."""
    style, code = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
                   for text in (css, js))
    return (f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{code}'; "
            "base-uri 'none'; form-action 'none'")


# ---- where pages go --------------------------------------------------------------------------


def may_write(path, replace: bool = False, title: bytes = TITLE):
    """Check before long work that the page can be written. Raises UserError.

    Only with `replace` is a page overwritten, and never a file that is not a page of this kind.
    """
    path = Path(path)
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise UserError(f"{path}: "
                        + ("is a folder" if path.is_dir() else f"there is no folder {path.parent}")
                        + ": name a file for the page")
    if not os.access(path.resolve().parent, os.W_OK):
        raise UserError(f"{path}: the folder {path.resolve().parent} cannot be written to")
    if path.exists() and title not in path.read_bytes()[:5000]:
        raise UserError(f"{path}: exists and is not a page of this command: choose another --out")
    if path.exists() and not replace:
        raise UserError(f"{path}: already exists: choose another --out, or replace it with --force")


def free_name(name: str) -> Path:
    """NAME.html, or the first of NAME-2.html, NAME-3.html, ... that does not exist."""
    names = (Path(f"{name}{'' if n == 1 else f'-{n}'}.html") for n in count(1))
    return next(path for path in names if not path.exists())
