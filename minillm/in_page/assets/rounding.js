/* Fewer bits, and what they cost: Rounding(host, model, {text, layer, matrix}), for lessons 11 and 12. Every matrix of
   the model is rounded to the grid that you choose, and the loss on a story is computed again, in the page. */

const GROUP = 32, DRAWN = 32;                  // numbers that share a scale in `group`; weights that are drawn

/* A number as float16, upwards: scales of groups are kept in 16 bits (see round_scales in quantize.py). */
function float16_up(x) {
  const step = 2 ** (Math.max(Math.floor(Math.log2(x)), -14) - 10);
  return Math.ceil(x / step) * step;
}

/* w = scale * integer, integers up to 2^(bits - 1) - 1: [the rounded numbers, a scale for each block of `size`]. */
function round_to_grid(w_OI, bits, size, halves) {
  const highest = 2 ** (bits - 1) - 1, rounded_OI = new Float32Array(w_OI.length), scales = [];
  for (let from = 0; from < w_OI.length; from += size) {
    let most = 0;
    for (let i = from; i < from + size; i++) most = Math.max(most, Math.abs(w_OI[i]));
    const exact = Math.fround(Math.max(Math.fround(most) * Math.fround(1 / highest), 2 ** -24)), scale = halves ? float16_up(exact) : exact;
    scales.push(scale);
    for (let i = from; i < from + size; i++) {
      const q = Math.round(w_OI[i] / scale);
      rounded_OI[i] = scale * Math.max(-highest, Math.min(highest, q));
    }
  }
  return [rounded_OI, scales];
}

function Rounding(host, model, { text, layer, matrix }) {
  const { config, params } = model, ids = model.begin.concat(model.tokenizer.encode(text));
  const floats = (w) => ({ ...w, numbers_OI: Float32Array.from(w.numbers_OI, (q, i) => q * (w.scales_O ? w.scales_O[Math.floor(i / w.I)] : 1)), scales_O: null });
  const map = (tree, f) => tree.numbers_OI ? f(tree) : Array.isArray(tree) ? tree.map((part) => map(part, f))
    : ArrayBuffer.isView(tree) ? tree : Object.fromEntries(Object.entries(tree).map(([name, part]) => [name, map(part, f)]));
  const whole = map(params, floats), before = loss(whole);

  const read = el("output", { for: "rounding-bits" });
  const bits = el("input", { id: "rounding-bits", type: "range", min: 2, max: 8, step: 1, input: later(60, draw) });
  bits.value = 4;
  const per = el("select", { id: "rounding-per", change: () => draw() }, [["tensor", "the whole matrix"], ["channel", "each output"],
    ["group", "each group of 32"]].map(([value, words]) => el("option", { value }, words)));
  per.value = "group";
  const status = el("p", { class: "status", role: "status" }), picture = svg("svg", { viewBox: "0 0 380 158", role: "img" });
  picture.style.cssText = "display: block; width: 100%; max-width: 34em; margin: .4em auto;";
  host.append(el("section", { "aria-label": "Rounding a model, with bits as a slider" },
    el("div", { class: "sliders" }, el("div", { class: "slider" }, el("label", { for: "rounding-bits" }, "Bits ", read), bits),
      el("div", {}, el("label", { for: "rounding-per" }, "One scale for "), per)), picture,
    el("p", { class: "why" }, `${DRAWN} weights of a row: the circle is before, the dot after; each line is a value of the grid.`), status));

  function loss(tree) {                        // nats per token of the story
    const T = ids.length - 1, V = config.vocab_size, logits_TV = forward(tree, ids.slice(0, T), config, init_cache(config, T));
    let sum = 0;
    for (let t = 0; t < T; t++) {
      const row = Float64Array.from(logits_TV.subarray(t * V, (t + 1) * V)), most = row.reduce((a, b) => Math.max(a, b));
      sum += most + Math.log(row.reduce((total, x) => total + Math.exp(x - most), 0)) - row[ids[t + 1]];
    }
    return sum / T;
  }
  function draw() {
    const b = Number(bits.value), how = per.value, size = (w) => how === "tensor" ? w.O * w.I : how === "channel" ? w.I : GROUP;
    let squares = 0, errors = 0, count = 0, scales_bits = 0;
    const tree = map(whole, (w) => {
      const [numbers_OI, scales] = round_to_grid(w.numbers_OI, b, size(w), how === "group");
      for (let i = 0; i < numbers_OI.length; i++) { squares += w.numbers_OI[i] ** 2; errors += (numbers_OI[i] - w.numbers_OI[i]) ** 2; }
      count += numbers_OI.length;
      scales_bits += scales.length * (how === "group" ? 16 : 32);
      return { ...w, numbers_OI };
    });
    const after = loss(tree), w = whole.layers[layer][matrix], rounded = tree.layers[layer][matrix].numbers_OI;
    read.textContent = `${b}: ${2 ** b - 1} values`;
    status.textContent = `${(b + scales_bits / count).toFixed(2)} bits per weight. Rounding moves the weights by ${(100 * Math.sqrt(errors / squares)).toFixed(1)}% of their size. ` +
      `Loss on a story: ${after.toFixed(3)} nats per token, ${before.toFixed(3)} before.`;
    draw_weights(w.numbers_OI.subarray(0, DRAWN), rounded.subarray(0, DRAWN), round_to_grid(w.numbers_OI, b, size(w), how === "group")[1][0], b);
  }
  function draw_weights(before_N, after_N, scale, b) {
    const most = Math.max(...before_N.map(Math.abs)) * 1.05, y = (value) => 78 - 72 * value / most, x = (i) => 12 + 11.6 * i, grid = [];
    for (let q = -(2 ** (b - 1)) + 1; q < 2 ** (b - 1); q++)
      if (Math.abs(q * scale) <= most && 72 * scale / most > 2.5) grid.push(svg("path", { d: `M4 ${y(q * scale)}H376`, stroke: "var(--line)" }));
    picture.setAttribute("aria-label", `${DRAWN} weights of ${matrix} in layer ${layer}: circles before, dots on the lines of the grid after`);
    picture.replaceChildren(...grid, ...Array.from(before_N, (value, i) => svg("path", { d: `M${x(i)} ${y(value)}V${y(after_N[i])}`, stroke: "var(--orange)", "stroke-width": 2 })),
      ...Array.from(before_N, (value, i) => svg("circle", { cx: x(i), cy: y(value), r: 3.4, fill: "none", stroke: "var(--ink)" })),
      ...Array.from(after_N, (value, i) => svg("circle", { cx: x(i), cy: y(value), r: 2.4, fill: "var(--blue)" })));
  }
  draw();
}
