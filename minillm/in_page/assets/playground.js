/* A model that writes, its next tokens and its attention: Playground(host, model) builds them in an
   element. No library, no request, no markup from data: every text is set as text. */

const OPTIONS = 10;                            // next tokens that are listed

/* The model with some heads taken out, and its cache of the text so far. */
function Reader(model, without) {
  const { config, params } = model, cache = init_cache(config, config.context), E = config.head_dim;
  let fed = [];
  function tap(seen) {
    return (name, x) => {
      const [, layer, what] = /^layers\.(\d+)\.(pattern|z)$/.exec(name) || [];
      if (what === "pattern" && seen) seen[layer] = x;
      if (what !== "z") return x;
      const HE = E * config.num_attention_heads;
      return x.map((value, i) => without.has(layer + "." + Math.floor(i % HE / E)) ? 0 : value);
    };
  }
  async function feed(ids) {                   // the keys and values of `ids`, some tokens at a time
    let same = 0;
    while (same < fed.length && same < ids.length && fed[same] === ids[same]) same++;
    for (fed = ids.slice(0, same); fed.length < ids.length;) {
      const next = ids.slice(fed.length, fed.length + 16);
      cache.length = fed.length;
      stream(params, next, config, cache, tap());
      fed = fed.concat(next);
      if (fed.length < ids.length) await new Promise((done) => setTimeout(done));
    }
  }
  async function step(ids) {                   // after the last of `ids`: logits, and who looked where
    await feed(ids.slice(0, -1));
    const begun = performance.now(), patterns = [];
    cache.length = ids.length - 1;
    const logits_V = forward(params, ids.slice(-1), config, cache, tap(patterns));
    fed = ids.slice();
    return { logits_V, patterns, milliseconds: performance.now() - begun };
  }
  return { step };
}

function Playground(host, model, settings) {
  const { config, tokenizer } = model, begin = model.begin, shown = text_of(tokenizer);
  const L = config.num_hidden_layers, H = config.num_attention_heads;
  const state = { prompt: [], ids: [], at: 0, head: settings.head, out: new Set(), whole: null, seed: 1, busy: 0,
                  seen: null, before: null, rate: 0, said: "" };
  let reader = Reader(model, state.out), complete = reader;
  const how = () => ({ temperature: Number(temperature.value), top_p: Number(top_p.value) });

  const quoted = (id) => "“" + (shown(id).trim() || shown(id)) + "”";

  // ---- controls ----
  const prompt = el("textarea", { id: "prompt", rows: 2, spellcheck: "false", maxlength: 8 * config.context,
    keydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) afresh(); } });
  prompt.value = settings.prompt;
  prompt.rows = Math.min(5, 2 + Math.floor(settings.prompt.length / 120));
  const [temperature, temperature_box] = slider("temperature", "Temperature", settings.temperature, [0, 2], draw_next,
    "0: always the most probable; above 1: flatter than the model's own");
  const [top_p, top_p_box] = slider("top-p", "Top-p", 1, [0.05, 1], draw_next, "only the most probable tokens that add up to this");
  const length = el("select", { id: "length" }, [20, 50, 100, 200].map((n) => el("option", { value: n }, String(n))));
  length.value = String(settings.length);
  const button = (words, click, kind) => el("button", { type: "button", class: kind || null, click }, words);
  const go = button("Write", () => state.busy ? stop() : afresh(), "first");
  const one = button("One token more", () => run(1)), more = button("Go on", () => run(Number(length.value)));
  const again = button("Another text", () => { state.seed++; afresh(); });
  const status = el("p", { class: "status", role: "status" });
  const tokens = el("div", { class: "tokens", id: "tokens", role: "listbox", tabindex: 0, "aria-label": "The tokens of the text. Arrow keys move.",
    keydown: (event) => {
      const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -state.ids.length, End: state.ids.length }[event.key];
      if (step) { event.preventDefault(); move(state.at + step); }
    } });
  const looking = el("p", { class: "looking", "aria-live": "polite" });
  const compared = el("div", { class: "compared" });
  const next_title = el("h2", { id: "next-h" }), next = el("ol", { class: "next" });
  const heads = el("div", { class: "heads", id: "heads", role: "listbox", tabindex: 0,
    "aria-label": "Heads, a row for each layer. Arrow keys choose, Delete takes out or puts back.",
    keydown: (event) => {
      const [l, h] = state.head, turn = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (turn) { event.preventDefault(); choose(l + turn[0], h + turn[1]); }
      if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); toggle(l, h); }
    } });
  const remove = button("", () => toggle(...state.head)), restore = button("Put all heads back", () => { state.out.clear(); changed(); });
  const section = (id, title, ...parts) => el("section", { id, "aria-labelledby": (title.id || id + "-h") },
    title.id ? title : el("h2", { id: id + "-h" }, title), parts);
  host.append(el("div", {},
    section("write", "Prompt", el("label", { for: "prompt", class: "unseen" }, "Prompt"), prompt,
      el("div", { class: "sliders" }, temperature_box, top_p_box),
      el("div", { class: "buttons" }, go, again, more, one, el("label", { for: "length" }, "tokens ", length)), status),
    section("text", "Text", tokens, looking, compared)), el("div", {},
    section("next", next_title, next),
    section("attention", "Attention", el("p", { class: "why" }, "Choose a head: its attention from the token under the cursor is drawn under the text. Take a head out, and the text is written again without it, with the same random numbers."),
      heads, el("div", { class: "buttons" }, remove, restore))));

  // ---- drawing ----
  function draw() {
    const { ids, at, seen } = state, [l, h] = state.head, first = begin.length;
    const row = seen && seen.patterns[l] ? seen.patterns[l].subarray(h * (at + 1), (h + 1) * (at + 1)) : [];
    while (tokens.childElementCount > ids.length - first) tokens.lastChild.remove();
    ids.slice(first).forEach((id, n) => {
      const t = first + n;
      let span = tokens.children[n];
      if (!span) {
        span = el("span", { role: "option", id: "token-" + t, click: () => { tokens.focus(); move(t); } });
        tokens.append(span);
      }
      if (span.dataset.id !== String(id)) { span.dataset.id = id; span.textContent = shown(id); }
      span.className = "token" + (t < state.prompt.length ? " given" : "") + (t === at ? " now" : "");
      span.setAttribute("aria-selected", String(t === at));
      span.style.setProperty("--look", t <= at && row[t] ? Math.sqrt(row[t]).toFixed(3) : 0);
    });
    if (at >= first) tokens.setAttribute("aria-activedescendant", "token-" + at);
    looking.setAttribute("aria-live", state.busy ? "off" : "polite");
    if (state.busy) tokens.scrollTop = tokens.scrollHeight;
    const most = Array.from(row, (p, t) => [p, t]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    looking.textContent = row.length ? `Head ${l}.${h} at ${quoted(ids[at])} looks at ` + most.map(([p, t]) =>
      `${t === at ? "itself" : t < first ? "the beginning mark" : quoted(ids[t])} ${percent(p)}`).join(", ") + "." : "";
    draw_heads();
    draw_next();
    draw_compared();
    go.textContent = state.busy ? "Stop" : "Write";
    again.disabled = more.disabled = one.disabled = !!state.busy;
    status.textContent = state.said;
  }
  function draw_heads() {
    if (!heads.childElementCount) {
      heads.style.setProperty("--columns", H);
      for (let l = 0; l < L; l++) for (let h = 0; h < H; h++)
        heads.append(el("span", { role: "option", id: `head-${l}-${h}`, click: () => { heads.focus(); choose(l, h); } }, `${l}.${h}`));
    }
    const { seen, at } = state;
    Array.from(heads.children).forEach((cell, i) => {
      const l = Math.floor(i / H), h = i % H, off = state.out.has(`${l}.${h}`), now = l === state.head[0] && h === state.head[1];
      const row = seen && seen.patterns[l] ? seen.patterns[l].subarray(h * (at + 1) + 1, (h + 1) * (at + 1)) : [];
      cell.className = "head" + (off ? " off" : "") + (now ? " now" : "");
      cell.setAttribute("aria-selected", String(now));
      cell.setAttribute("aria-label", `Head ${l}.${h}` + (off ? ", taken out" : ""));
      cell.style.setProperty("--look", off ? 0 : Math.max(0, ...row).toFixed(3));
    });
    const [l, h] = state.head;
    heads.setAttribute("aria-activedescendant", `head-${l}-${h}`);
    remove.textContent = (state.out.has(`${l}.${h}`) ? "Put back head " : "Take out head ") + `${l}.${h}`;
    restore.hidden = !state.out.size;
  }
  function draw_next() {
    const { seen, ids, at, before } = state;
    next_title.textContent = ids.length ? `What may come after ${at < begin.length ? "the beginning" : quoted(ids[at])}` : "What may come next";
    if (!seen) { next.replaceChildren(); return; }
    const p_V = softmax(Float64Array.from(seen.logits_V)), kept = new Map(candidates(seen.logits_V, how()));
    const was_V = before && softmax(Float64Array.from(before.logits_V));
    const order = Array.from(p_V.keys()).sort((a, b) => p_V[b] - p_V[a]).slice(0, OPTIONS);
    next.replaceChildren(...order.map((token) => {
      const share = kept.get(token) || 0, is = ids[at + 1] === token;
      const words = ` is its share; the model says ${percent(p_V[token])}` + (was_V ? `, with all heads ${percent(was_V[token])}` : "") + ". Write it.";
      const bar = el("span", { class: "bar" }, el("i", { class: "model" }), el("i", { class: "drawn" }), was_V ? el("i", { class: "was" }) : "");
      bar.children[0].style.width = 100 * p_V[token] + "%";
      bar.children[1].style.width = 100 * share + "%";
      if (was_V) bar.children[2].style.left = 100 * was_V[token] + "%";
      return el("li", {}, el("button", { type: "button", class: "option" + (share ? "" : " cut") + (is ? " is" : ""), click: () => take(token) },
        el("span", { class: "word" }, shown(token)), bar, el("span", { class: "share" }, percent(share)), el("span", { class: "unseen" }, words)));
    }));
  }
  function draw_compared() {
    if (!state.whole || !state.out.size) { compared.replaceChildren(); return; }
    const n = state.whole.findIndex((id, t) => id !== state.ids[t]);
    compared.replaceChildren(el("h3", {}, "With all heads"), el("p", {}, state.whole.slice(begin.length).map((id, i) =>
      el("span", { class: n >= 0 && i + begin.length >= n ? "other" : null }, shown(id)))));
  }

  // ---- what one can do ----
  async function look() {                      // the step at the cursor, and the same with all heads
    if (!state.ids.length) return;
    const here = state.ids.slice(0, state.at + 1);
    const seen = await reader.step(here);
    state.before = state.out.size ? await complete.step(here) : null;
    state.seen = seen;
  }
  async function move(t) {
    if (state.busy) return;
    state.at = Math.min(state.ids.length - 1, Math.max(0, begin.length, t));
    await look();
    draw();
    document.getElementById("token-" + state.at)?.scrollIntoView({ block: "nearest" });
  }
  function choose(l, h) {
    state.head = [Math.min(L - 1, Math.max(0, l)), Math.min(H - 1, Math.max(0, h))];
    draw();
  }
  function read_prompt() {
    let ids;
    try { ids = tokenizer.encode(prompt.value); }
    catch (error) { return say(error.message); }
    ids = begin.concat(ids);
    if (!ids.length) ids = settings.empty;
    if (!ids.length) return say("Type a prompt first: this model has no token to begin with.");
    if (ids.length >= config.context) return say(`The prompt has ${ids.length} tokens, and this page reads ${config.context}: shorten it.`);
    state.prompt = state.ids = ids;
    state.at = ids.length - 1;
    return true;
  }
  function say(words) { state.said = words; status.textContent = words; return false; }
  function stop() { state.busy++; }
  async function afresh() {                    // from the prompt, with the random numbers of the seed
    if (state.busy || !read_prompt()) return;
    state.whole = null;
    await run(Number(length.value));
  }
  async function run(count) {
    if (state.busy || (!state.ids.length && !read_prompt())) return;
    const mine = state.busy = 1;
    const draw_coin = coins(state.seed), written = state.ids.length - state.prompt.length;
    let spent = 0, made = 0, end = "";
    for (let n = 0; n < written; n++) draw_coin();
    while (made < count && state.busy === mine && !end) {
      state.at = state.ids.length - 1;
      await look();
      spent += state.seen.milliseconds;
      const token = sample(state.seen.logits_V, draw_coin(), how());
      if (!are_finite(state.seen.logits_V)) end = "The model's logits are not finite numbers: it cannot go on.";
      else if (config.end_tokens.includes(token)) end = "The model ended the text here.";
      else if (state.ids.length >= config.context) end = `The text has ${config.context} tokens: this page reads no more.`;
      else { state.ids = state.ids.concat(token); made++; }
      draw();
      await new Promise((done) => setTimeout(done, settings.pause));
    }
    state.busy = 0;
    if (made) { state.at = state.ids.length - 1; await look(); }
    if (!state.out.size) state.whole = state.ids;
    state.rate = spent ? 1000 * (made + !!end) / spent : state.rate;
    state.said = `${state.ids.length - state.prompt.length} tokens written, ${state.rate.toFixed(0)} tokens a second computed. ${end}`;
    draw();
  }
  async function take(token) {                 // the chosen token after the cursor; what followed is dropped
    if (state.busy || config.end_tokens.includes(token) && !shown(token)) return;
    state.ids = state.ids.slice(0, state.at + 1).concat(token);
    if (state.ids.length > config.context) { state.ids.pop(); return; }
    state.at = state.ids.length - 1;
    state.prompt = state.prompt.slice(0, state.ids.length);
    state.whole = null;
    await look();
    draw();
  }
  function toggle(l, h) {
    const name = `${l}.${h}`;
    if (state.busy) return;
    if (!state.out.delete(name)) state.out.add(name);
    changed();
  }
  async function changed() {                   // the same text again, without the heads that are out
    if (state.busy) return;
    const count = (state.whole || state.ids).length - state.prompt.length;
    reader = state.out.size ? Reader(model, new Set(state.out)) : complete;
    state.ids = state.prompt;
    state.at = Math.max(0, state.ids.length - 1);
    if (count > 0) await run(count);
    else { await look(); draw(); }
  }

  if (read_prompt()) look().then(() => { draw(); document.documentElement.dataset.ready = "yes"; if (settings.begin) afresh(); });
  draw();
  return { state, afresh, run, move, choose, toggle };
}
