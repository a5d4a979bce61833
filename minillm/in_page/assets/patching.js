/* Patch a name, for lesson 15: Patching(host, model, {clean, corrupt}). The corrupt text is read again with one vector from
   the run of the clean text: the stream that enters a layer, at the token under the cursor. How much comes back? */

const MOST = 100, LISTED = 5;                  // tokens of a text, next tokens listed

function Patching(host, model, settings) {
  const { config, params, tokenizer, begin } = model, shown = text_of(tokenizer), D = config.hidden_size, L = config.num_hidden_layers;
  const quoted = (id) => begin.includes(id) ? "the beginning mark" : "“" + (shown(id).trim() || shown(id)) + "”";
  let clean, corrupt, answers, shares, at = 0, working = 0;

  const area = (name, words) => {
    const box = el("textarea", { id: "patching-" + name, rows: 2, maxlength: 600, spellcheck: "false", input: later(200, read_texts) });
    box.value = settings[name];
    return [box, el("label", { for: "patching-" + name }, words)];
  };
  const [one, one_label] = area("clean", "Clean text"), [other, other_label] = area("corrupt", "Corrupt text, as many tokens");
  const layer = el("select", { id: "patching-layer", change: () => draw() }, Array.from({ length: L }, (_, l) => el("option", { value: l }, String(l))));
  const all = el("button", { type: "button", click: () => patch_all() }, "Patch every token of this layer, one at a time");
  const [line, draw_line] = token_line("patching-tokens", (id) => begin.includes(id) ? "^" : shown(id), (t) => { at = t; draw(); });
  const status = el("p", { class: "status", role: "status" }), next = el("ol", { class: "next" });
  host.append(el("section", { "aria-label": "Patch a name" }, one_label, one, other_label, other,
    el("div", { class: "buttons" }, el("label", { for: "patching-layer" }, "The stream that enters layer ", layer), all), line, status, next,
    el("p", { class: "why" }, "The stronger the line under a token, the more comes back when its vector is put in. The bars: what may come next; the mark is without the patch.")));

  function run(ids) {                          // logits after the last token, and the streams that entered the layers
    const entered = [], cache = init_cache(config, ids.length);
    const x_TD = stream(params, ids, config, cache, (name, x) => { if (name.endsWith(".resid_pre")) entered.push(x); return x; });
    return { ids, entered, cache, logits_V: read(params, x_TD.subarray(-D)) };
  }
  function restart(l, t) {                     // the corrupt run from layer l and token t on: what comes before stays
    let x_TD = corrupt.entered[l].slice(t * D);
    x_TD.set(clean.entered[l].subarray(t * D, (t + 1) * D));
    const cos_sin = rotation(t, corrupt.ids.length - t, config);
    for (let i = l; i < L; i++) {
      const { k, v } = corrupt.cache.layers[i];
      x_TD = block(params.layers[i], x_TD, t, cos_sin, { k: k.slice(), v: v.slice() }, config);
    }
    return read(params, final_norm(params, x_TD.subarray(-D), config));
  }
  const score = ({ logits_V }) => logits_V[answers[0]] - logits_V[answers[1]];
  function patch(l, t) {                       // {share, logits_V}: 0 is the corrupt text's difference, 1 the clean one's
    if (!shares[l][t]) {
      const logits_V = restart(l, t);
      shares[l][t] = { logits_V, share: (score({ logits_V }) - score(corrupt)) / (score(clean) - score(corrupt)) };
    }
    return shares[l][t];
  }
  async function patch_all() {
    const mine = ++working, l = Number(layer.value), here = shares;
    for (let t = 0; t < corrupt.ids.length && mine === working && here === shares; t++) {
      patch(l, t);
      draw();
      await new Promise((done) => setTimeout(done));
    }
  }
  function read_texts() {
    try {
      const [a, b] = [one, other].map((box) => begin.concat(tokenizer.encode(box.value)));
      if (a.length !== b.length) throw new Error(`Patching needs texts of equal length: these have ${a.length} and ${b.length} tokens.`);
      if (!a.length || a.length > MOST) throw new Error(`A text has ${a.length} tokens, and 1 to ${MOST} are read here.`);
      [clean, corrupt] = [a, b].map((ids) => run(ids));
      answers = [clean, corrupt].map(({ logits_V }) => logits_V.indexOf(Math.max(...logits_V)));
      if (answers[0] === answers[1]) throw new Error(`Both texts go on with ${quoted(answers[0])}: there is no difference to bring back.`);
      shares = Array.from({ length: L }, () => []);
      at = Math.max(0, a.findIndex((id, t) => id !== b[t]));
      draw();
    } catch (error) { shares = null; status.textContent = error.message; next.replaceChildren(); }
  }
  function draw() {
    if (!shares) return;
    const l = Number(layer.value), { share, logits_V } = patch(l, at), p_V = softmax(logits_V), was_V = softmax(corrupt.logits_V);
    draw_line(corrupt.ids, at, corrupt.ids.map((_, t) => Math.min(1, Math.max(0, shares[l][t]?.share || 0))));
    status.textContent = `${quoted(corrupt.ids[at])}, the stream that enters layer ${l}: ${share.toFixed(3)} of the difference comes back ` +
      `(logit of ${quoted(answers[0])} less that of ${quoted(answers[1])}: ${score(corrupt).toFixed(2)} becomes ${score({ logits_V }).toFixed(2)}, clean ${score(clean).toFixed(2)}).`;
    const order = Array.from(p_V.keys()).sort((a, b) => p_V[b] - p_V[a]).slice(0, LISTED);
    next.replaceChildren(...order.map((token) => {
      const bar = el("span", { class: "bar" }, el("i", { class: "drawn" }), el("i", { class: "was" }));
      bar.children[0].style.width = 100 * p_V[token] + "%";
      bar.children[1].style.left = 100 * was_V[token] + "%";
      return el("li", { class: "option" }, el("span", { class: "word" }, shown(token)), bar, el("span", { class: "share" }, percent(p_V[token])),
        el("span", { class: "unseen" }, ` (${percent(was_V[token])} unpatched)`));
    }));
  }
  read_texts();
}
