"""Tokens a second of a model in a page (headless Chromium) against `minillm generate --twin numpy`.

    python benchmarks/page_speed.py [--stories STORIES260K.bin] [--rounds 3] [--json FILE]

Greedy, one text, the same prompt and at most 200 tokens, reading the prompt included; medians of
rounds that take both in turn. Both must write the same tokens. Needs Chromium, its driver and
selenium.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from minillm.config import GenerateConfig
from minillm.in_page import page
from minillm.in_page.embedding import embedded
from minillm.loading import load
from minillm.quantization.model import dequantize_params

ROOT = Path(__file__).resolve().parents[1]
PROMPT = "Once there was"
TOKENS = 200
HTML = """<!doctype html><meta charset="utf-8"><title>speed</title>
<script type="application/json" id="data">%s</script><script>%s</script>"""
START = """const {config, params} = load(JSON.parse(document.getElementById("data").textContent));
window.write = (ids, count) => {
  const begun = performance.now(), how = {temperature: 0, top_p: 1};
  const made = [...generate(params, ids, config, how, new Float32Array(count))];
  return [made, (performance.now() - begun) / 1000];
};"""


def chromium(folder):
    """A headless browser."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                     "--disable-background-networking", f"--user-data-dir={folder}"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    made = webdriver.Chrome(options=options, service=service)
    made.execute_cdp_cmd("Network.enable", {})
    return made


def measure(browser, model, folder: Path, rounds: int) -> dict:
    """Tokens a second of both, and what the page weighs."""
    ids = model.prompt_ids(PROMPT)
    data = embedded(model)
    file = folder / "speed.html"
    file.write_text(HTML % (json.dumps(data).replace("<", "\\u003c"), page.script(START)))
    browser.get(file.as_uri())
    rates = {"page": [], "numpy": []}
    how = GenerateConfig(max_new_tokens=TOKENS, temperature=0)
    for n in range(rounds + 1):
        made, spent = browser.execute_script("return write(...arguments)", ids, TOKENS)
        begun = time.perf_counter()
        expected = list(model.continuation(ids, "numpy", how))
        seconds = time.perf_counter() - begun
        assert made == expected, "the page writes something else"
        if n:                                                # the first round warms both up
            rates["page"].append(len(made) / spent)
            rates["numpy"].append(len(expected) / seconds)
    return {"parameters": data["parameters"], "weights": data["bytes"], "tokens": len(expected),
            **{name: statistics.median(values) for name, values in rates.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stories", help="stories260K.bin of llama2.c")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the results to this file")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]                       # what else the machine does
    nano = load(ROOT / "lessons" / "15_inside" / "model")
    models = {"nano int8": nano,
              "nano float32": replace(nano, params=dequantize_params(nano.params))}
    if options.stories:
        models["stories260K float32"] = load(options.stories)
    with tempfile.TemporaryDirectory() as folder:
        browser = chromium(folder)
        try:
            found = {name: measure(browser, model, Path(folder), options.rounds)
                     for name, model in models.items()}
            version = browser.capabilities["browserVersion"].split(".")[0]
        finally:
            browser.quit()
    result = {"cores": os.cpu_count(), "load": round(load_before, 1),
              "machine": platform.machine(), "chromium": int(version), "models": found}
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        Path(options.json).write_text(text + "\n")


if __name__ == "__main__":
    main()
