/* Where the heads of a model look in a sentence that you type, for lesson 03: Attending(host, model, {text, head}).
   A row of the triangle is a query, a column a key; the line of tokens shows the row under the cursor. */

const MOST = 80;                               // tokens: more are hard to see

function Attending(host, model, settings) {
  const { config, params, tokenizer, begin } = model, shown = text_of(tokenizer);
  const L = config.num_hidden_layers, H = config.num_attention_heads;
  const quoted = (id) => begin.includes(id) ? "the beginning mark" : "“" + (shown(id).trim() || shown(id)) + "”";
  let ids = [], patterns = [], at = 0;

  const text = el("textarea", { id: "attending-text", rows: 3, maxlength: 400, spellcheck: "false", input: later(150, read_text) });
  text.value = settings.text;
  const head = el("select", { id: "attending-head", change: () => draw() }, Array.from({ length: L * H }, (_, i) =>
    el("option", { value: i }, `layer ${Math.floor(i / H)}, head ${i % H}`)));
  head.value = String(settings.head[0] * H + settings.head[1]);
  const [line, draw_line] = token_line("attending-tokens", (id) => begin.includes(id) ? "^" : shown(id), (t) => { at = t; draw(); });
  const square = svg("svg", { role: "img", "aria-label": "The pattern of the head: a row for each query, a column for each key" });
  const status = el("p", { class: "status", role: "status" });
  host.append(el("section", { "aria-label": "Attention in a sentence that you type" },
    el("label", { for: "attending-text" }, "Any text; the model knows the words of its stories best "), text,
    el("div", { class: "buttons" }, el("label", { for: "attending-head" }, "Head ", head)), line, status, square));
  square.style.cssText = "display: block; width: 100%; max-width: 26em; margin: .6em auto; cursor: pointer;";
  square.addEventListener("click", (event) => {
    const box = square.getBoundingClientRect();
    at = Math.min(ids.length - 1, Math.floor((event.clientY - box.top) / box.height * ids.length));
    draw();
  });

  function read_text() {
    try {
      const found = begin.concat(tokenizer.encode(text.value));
      if (found.length > MOST) throw new Error(`The text has ${found.length} tokens, and ${MOST} fit: shorten it.`);
      if (!found.length) throw new Error("Type a word first.");
      const seen = [], cache = init_cache(config, found.length);
      stream(params, found, config, cache, (name, x) => { if (name.endsWith(".pattern")) seen.push(x); return x; });
      [ids, patterns, at] = [found, seen, found.length - 1];
      draw();
    } catch (error) { status.textContent = error.message; }
  }
  function draw() {
    const [l, h] = [Math.floor(head.value / H), head.value % H], T = ids.length;
    const share = (t, s) => patterns[l][(h * T + t) * T + s];
    const row = ids.map((_, s) => s <= at ? share(at, s) : 0);
    draw_line(ids, at, row);
    const most = row.map((p, s) => [p, s]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(([p]) => p > 0);
    status.textContent = `Head ${l}.${h} at ${quoted(ids[at])} looks at ` +
      most.map(([p, s]) => `${s === at ? "itself" : quoted(ids[s])} ${percent(p)}`).join(", ") + ".";
    const cells = [];
    for (let t = 0; t < T; t++)
      for (let s = 0; s <= t; s++)
        cells.push(svg("rect", { x: s, y: t, width: 1, height: 1, fill: "var(--blue)", "fill-opacity": Math.sqrt(share(t, s)).toFixed(3) }));
    square.setAttribute("viewBox", `-.1 -.1 ${T + .2} ${T + .2}`);
    square.replaceChildren(svg("path", { d: `M0 0V${T}H${T}Z`, fill: "var(--chip)" }), ...cells,
      svg("rect", { x: 0, y: at, width: at + 1, height: 1, fill: "none", stroke: "var(--cursor)", "stroke-width": .12 }));
  }
  read_text();
}
