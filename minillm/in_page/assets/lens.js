/* The logit lens under the cursor, for lesson 15: Lens(host, model, {text}). What the model would say next after each
   layer, if it stopped there: the final norm and the head, applied to the residual stream of the token. */

const SHOWN = 3, READ = 120;                   // words of each layer; tokens of a text

function Lens(host, model, settings) {
  const { config, params, tokenizer, begin } = model, shown = text_of(tokenizer), D = config.hidden_size;
  const quoted = (id) => "“" + (shown(id).trim() || shown(id)) + "”";
  let ids = [], streams = [], at = 0;

  const text = el("textarea", { id: "lens-text", rows: 3, spellcheck: "false", maxlength: 800, input: later(200, read_text) });
  text.value = settings.text;
  const [line, draw_line] = token_line("lens-tokens", (id) => begin.includes(id) ? "^" : shown(id), (t) => { at = t; draw(); });
  const status = el("p", { class: "status", role: "status" }), rows = el("div", { class: "lens-table" });
  host.append(el("section", { "aria-label": "The logit lens under the cursor" },
    el("label", { for: "lens-text" }, "Text"), text, line, status, rows));

  function read_text() {
    try {
      const found = begin.concat(tokenizer.encode(text.value));
      if (found.length > READ) throw new Error(`The text has ${found.length} tokens, and ${READ} are read here: shorten it.`);
      if (!found.length) throw new Error("Type a word first.");
      const seen = [], cache = init_cache(config, found.length);
      stream(params, found, config, cache, (name, x) => {
        if (name === "embed" || name.endsWith(".resid_post")) seen.push(x);
        return x;
      });
      [ids, streams, at] = [found, seen, found.length - 1];
      draw();
    } catch (error) { status.textContent = error.message; }
  }
  function look(x_TD) {                        // [[token, p]] of the most probable next tokens, if it stopped here
    const logits_V = read(params, final_norm(params, x_TD.subarray(at * D, (at + 1) * D), config));
    const p_V = softmax(Float64Array.from(logits_V));
    return Array.from(p_V.keys()).sort((a, b) => p_V[b] - p_V[a]).slice(0, SHOWN).map((token) => [token, p_V[token]]);
  }
  function draw() {
    draw_line(ids, at);
    const next = at + 1 < ids.length ? `; in the text ${quoted(ids[at + 1])} follows` : "";
    status.textContent = `After ${begin.includes(ids[at]) ? "the beginning mark" : quoted(ids[at])}, read after each layer${next}.`;
    rows.replaceChildren(...streams.map((x_TD, l) => el("p", {},
      el("strong", {}, l ? `layer ${l - 1} ` : "embedding "),
      look(x_TD).map(([token, p]) => {
        const word = el("span", { class: "piece" + (token === ids[at + 1] ? " right" : "") }, `${shown(token)} ${percent(p)}`);
        word.style.setProperty("--look", p.toFixed(3));
        return word;
      }))));
  }
  read_text();
}
