/* The model of a report, in the report: Live(host, model, settings) reads a prompt that you change,
   without heads and MLPs that you take out, with what they did in another prompt, or steered from one
   towards the other. Names of activations are the twins'. */

const WRITTEN = 24, LISTED = 8;                // tokens that the model goes on with, next tokens listed

/* A tap that edits. `edits`: "layer.head" or "layer.mlp" -> "out" or "patched"; `other`: activations of
   the other prompt; `steering`: {layer, strength, direction_D}. Recorded activations go into `seen`. */
function editing({ edits, other, steering }, config, seen = {}) {
  const E = config.head_dim, HE = E * config.num_attention_heads;
  return (name, x) => {
    const [, layer, what] = /^layers\.(\d+)\.(z|mlp_out|resid_post)$/.exec(name) || [];
    const reaches = (i) => edits.get(what === "z" ? layer + "." + Math.floor(i % HE / E) : layer + ".mlp");
    if (what === "z" || what === "mlp_out")    // a patch is for the prompt: what is written has no other run
      x = x.map((value, i) => reaches(i) === "out" ? 0
        : reaches(i) === "patched" && other[name] && i < other[name].length && x.length === other[name].length ? other[name][i] : value);
    if (what === "resid_post" && steering && Number(layer) === steering.layer)
      x = x.map((value, i) => value + steering.strength * steering.direction_D[i % config.hidden_size]);
    if (what) seen[name] = x;
    return x;
  };
}

function Live(host, model, settings) {
  const { config, params, tokenizer, begin } = model, shown = text_of(tokenizer), quoted = (id) => "“" + shown(id) + "”";
  const L = config.num_hidden_layers, H = config.num_attention_heads, D = config.hidden_size;
  const state = { edits: new Map(), cell: [0, 0], busy: 0, plain: null, edited: null, other: null, said: "" };

  // ---- controls ----
  const area = (id, words, text) => {
    const box = el("textarea", { id, rows: 2, spellcheck: "false", maxlength: 8 * config.context, change: () => changed() });
    box.value = text;
    return [box, el("label", { for: id }, words)];
  };
  const [prompt, prompt_label] = area("live-prompt", "Prompt", settings.prompt);
  const [other, other_label] = area("live-other", "Another prompt, to patch and steer from", settings.other);
  const mode = el("select", { id: "live-mode", change: () => draw() }, el("option", { value: "out" }, "take out"),
    el("option", { value: "patched" }, "patch from the other prompt"));
  const grid = el("div", { class: "heads", id: "live-grid", role: "listbox", tabindex: 0, "aria-multiselectable": "true",
    "aria-label": "Heads and MLPs, a row for each layer. Arrow keys choose, Enter edits or puts back.",
    keydown: (event) => {
      const turn = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key], [l, h] = state.cell;
      if (turn) { event.preventDefault(); choose(l + turn[0], h + turn[1]); }
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(l, h); }
    } });
  const restore = el("button", { type: "button", click: () => { state.edits.clear(); changed(); } }, "Put all back");
  const layer = el("select", { id: "live-layer", change: () => changed() },
    Array.from({ length: L }, (_, l) => el("option", { value: l }, String(l))));
  layer.value = String(Math.floor(L / 2));
  const [strength, strength_box] = slider("live-strength", "Strength", 0, [-3, 3], () => { clearTimeout(state.later); state.later = setTimeout(changed, 150); },
    "times the other prompt's last residual stream less this one's, added at every token");
  const status = el("p", { class: "status", role: "status" }), next = el("ol", { class: "next" }), verdict = el("p", { id: "live-verdict", "aria-live": "polite" });
  const lens = el("ol", { class: "lens-rows" }), written = el("div", { class: "compared" });
  const section = (title, ...parts) => el("section", {}, el("h3", {}, title), parts);
  host.append(el("div", {},
    section("What it reads", prompt_label, prompt, other_label, other, status),
    section("What is edited", el("label", { for: "live-mode" }, "A click on a head or an MLP: ", mode), grid, el("div", { class: "buttons" }, restore)),
    section("Steering", el("label", { for: "live-layer" }, "After layer ", layer), strength_box)), el("div", {},
    section("What may come next", verdict, next), section("The logit lens at the last token, layer by layer", lens),
    section("How it goes on, always the most probable token", written)));

  // ---- drawing ----
  const cells = Array.from({ length: L }, (_, l) => Array.from({ length: H + 1 }, (_, h) =>
    el("span", { role: "option", id: `live-${l}-${h}`, click: () => { grid.focus(); choose(l, h); toggle(l, h); } }, h < H ? `${l}.${h}` : `mlp ${l}`)));
  grid.append(...cells.flat());
  grid.style.setProperty("--columns", H + 1);
  const site = (l, h) => h < H ? `${l}.${h}` : `${l}.mlp`;
  function draw() {
    cells.forEach((row, l) => row.forEach((cell, h) => {
      const edit = state.edits.get(site(l, h)), now = l === state.cell[0] && h === state.cell[1];
      cell.className = "head" + (edit === "out" ? " off" : edit ? " patched" : "") + (now ? " now" : "");
      cell.setAttribute("aria-selected", String(!!edit));
      cell.setAttribute("aria-label", (h < H ? "Head " : "MLP ") + (h < H ? `${l}.${h}` : l) + (edit === "out" ? ", taken out" : edit ? ", patched" : ""));
    }));
    grid.setAttribute("aria-activedescendant", `live-${state.cell.join("-")}`);
    restore.hidden = !state.edits.size;
    status.textContent = state.said;
    const { plain, edited } = state;
    if (!plain) return;
    const p_V = softmax(Float64Array.from(edited.logits_V)), was_V = softmax(Float64Array.from(plain.logits_V));
    const order = Array.from(p_V.keys()).sort((a, b) => p_V[b] - p_V[a]).slice(0, LISTED);
    next.replaceChildren(...order.map((token) => {
      const bar = el("span", { class: "bar" }, el("i", { class: "drawn" }), el("i", { class: "was" }));
      bar.children[0].style.width = 100 * p_V[token] + "%";
      bar.children[1].style.left = 100 * was_V[token] + "%";
      return el("li", { class: "option" }, el("span", { class: "word" }, shown(token)), bar,
        el("span", { class: "share" }, percent(p_V[token])), el("span", { class: "unseen" }, ` (${percent(was_V[token])} without edits)`));
    }));
    const [a, b] = state.pair, gap = ({ logits_V }) => (logits_V[a] - logits_V[b]).toFixed(2);
    verdict.textContent = `Logit of ${quoted(a)} less logit of ${quoted(b)}: ${gap(edited)}` + (is_edited() ? `, ${gap(plain)} without edits.` : ".");
    lens.replaceChildren(...edited.lens.map(([token, p], l) => el("li", { value: l }, `${quoted(token)} ${percent(p)}`)));
    written.replaceChildren(...(is_edited() ? [["With the edits", edited], ["Without", plain]] : [["", plain]]).flatMap(([title, run]) =>
      [title ? el("h4", {}, title) : "", el("p", {}, run.text.map(shown).join(""))]));
  }

  // ---- running ----
  const is_edited = () => state.edits.size > 0 || Number(strength.value) !== 0;
  function read_text(box) {
    const ids = begin.concat(tokenizer.encode(box.value));
    if (ids.length + WRITTEN > config.context) throw new Error(`A prompt has ${ids.length} tokens, and this page reads ${config.context - WRITTEN}: shorten it.`);
    return ids.length ? ids : settings.empty;
  }
  function run(ids, edit) {                    // logits and lens at the last token, activations, and how it goes on
    const seen = {}, tap = editing(edit, config, seen), cache = init_cache(config, ids.length);
    const x_TD = stream(params, ids, config, cache, tap), logits_V = read(params, x_TD.subarray(-D));
    if (!are_finite(logits_V)) throw new Error("The model's logits are not finite numbers: there is nothing to see.");
    const look = (l) => {
      const p_V = softmax(read(params, final_norm(params, seen[`layers.${l}.resid_post`].subarray(-D), config)));
      const token = p_V.indexOf(p_V.reduce((most, p) => Math.max(most, p)));
      return [token, p_V[token]];
    };
    const text = Array.from(generate(params, ids, config, { temperature: 0 }, new Float32Array(WRITTEN), editing(edit, config)));
    return { seen, logits_V, lens: Array.from({ length: L }, (_, l) => look(l)), text };
  }
  async function changed() {
    const mine = ++state.busy, none = { edits: new Map() };
    state.said = "Computing.";
    draw();
    await new Promise((done) => setTimeout(done, 20));
    if (mine !== state.busy) return;
    try {
      const ids = read_text(prompt), there = other.value ? read_text(other) : null;
      if (!ids.length) throw new Error("Type a prompt first: this model has no token to begin with.");
      state.plain = run(ids, none);
      state.other = there && run(there, none);
      const patches = Array.from(state.edits.values()).includes("patched"), last = `layers.${layer.value}.resid_post`;
      if ((patches || Number(strength.value)) && !there) throw new Error("Type another prompt to patch or steer from.");
      if (patches && there.length !== ids.length) throw new Error(`Patching needs prompts of equal length: these have ${ids.length} and ${there.length} tokens.`);
      const steering = Number(strength.value) ? { layer: Number(layer.value), strength: Number(strength.value),
        direction_D: state.other.seen[last].slice(-D).map((value, d) => value - state.plain.seen[last].slice(-D)[d]) } : null;
      const best = (logits_V, not) => Array.from(logits_V.keys()).reduce((a, b) => b !== not && (a < 0 || logits_V[b] > logits_V[a]) ? b : a, -1);
      const a = best(state.plain.logits_V, -1), rival = state.other ? best(state.other.logits_V, -1) : a;
      state.pair = [a, rival === a ? best(state.plain.logits_V, a) : rival];
      state.edited = is_edited() ? run(ids, { edits: state.edits, other: state.other && state.other.seen, steering }) : state.plain;
      state.said = `${ids.length} tokens` + (there ? `, ${there.length} in the other prompt.` : ".");
    } catch (error) { state.said = error.message; }
    draw();
  }
  function choose(l, h) { state.cell = [Math.min(L - 1, Math.max(0, l)), Math.min(H, Math.max(0, h))]; draw(); }
  function toggle(l, h) {
    if (state.edits.get(site(l, h)) === mode.value) state.edits.delete(site(l, h));
    else state.edits.set(site(l, h), mode.value);
    return changed();
  }
  const ready = changed().then(() => { host.dataset.ready = "yes"; });
  return { state, changed, toggle, choose, ready, prompt, other, strength, layer, mode };
}
