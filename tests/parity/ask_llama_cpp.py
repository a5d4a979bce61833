"""Ask llama.cpp about a GGUF file, in a process of its own: it may abort. Run by test_llama_cpp.py.

Standard input: JSON {"path", "texts", "prompts", "count", "chat"}; standard output: JSON
{"ids": of each text, "written": the ids after each prompt, "chat": an answer}.
"""

import json
import os
import sys
import urllib.request

import xllamacpp


def ask(path, texts, prompts, count, chat):
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.warmup = path, 512, 1, False
    server = xllamacpp.Server(params)

    def post(where, **body):
        request = urllib.request.Request(server.listening_address + where, json.dumps(
                                             body).encode(), {"Content-Type": "application/json"})
        return json.loads(urllib.request.urlopen(request, timeout=300).read())

    found = {"ids": [post("/tokenize", content=text, add_special=False,
                          parse_special=False)["tokens"] for text in texts],
             "written": [post("/completion", prompt=ids, temperature=0, n_predict=count,
                              return_tokens=True, cache_prompt=False)["tokens"] for ids in prompts]}
    if chat:
        answer = post("/v1/chat/completions", messages=chat, temperature=0, max_tokens=30)
        found["chat"] = answer["choices"][0]["message"]["content"]
    return found


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                                       # llama.cpp tells much
    answers.write(json.dumps(ask(**json.load(sys.stdin))))
    answers.flush()
    os._exit(0)
