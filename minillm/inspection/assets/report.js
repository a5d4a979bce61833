"use strict";
/* The page of `minillm inspect`. One state (the token under the cursor, the chosen head, the chosen layer of the lens); every panel has a
   function that draws it anew when the state changes. No library, no request, no inline style: all of it is in this file. */

(() => {                                     /* a scope of its own: `top` and `name` are taken in a window */
const D = JSON.parse(document.getElementById("data").textContent);
const T = D.length, L = D.layers, H = D.heads, GROUP = H / D.groups;
const state = { t: Math.max(0, T - 1), head: [0, 0], lens: L };
const drawers = [];

/* ---- arrays ---- */

const HALF = new Float32Array(65536);
for (let i = 0; i < 65536; i++) {
  const sign = i & 0x8000 ? -1 : 1, exponent = (i >> 10) & 31, fraction = i & 1023;
  HALF[i] = sign * (exponent === 0 ? fraction * 2 ** -24 : exponent === 31 ? (fraction ? NaN : Infinity)
    : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
function decoded(entry) {
  const text = atob(entry.data), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  if (entry.kind === "float16") return Float32Array.from(new Uint16Array(bytes.buffer), (i) => HALF[i]);
  return new ({ uint8: Uint8Array, int32: Int32Array, float32: Float32Array }[entry.kind])(bytes.buffer);
}
const A = {};
for (const name in D.arrays) A[name] = { shape: D.arrays[name].shape, x: decoded(D.arrays[name]) };
function at(name, ...place) {
  const array = A[name];
  if (!array) return NaN;
  let i = 0;
  place.forEach((p, axis) => { i = i * array.shape[axis] + p; });
  for (let axis = place.length; axis < array.shape.length; axis++) i *= array.shape[axis];
  return array.x[i];
}
const slot = new Map();
if (A.pattern) A.pattern_head.x.forEach((head, i) => slot.set(head, i));
function attention(l, h, t, s) {           /* stored as the square root, in 255 steps, for keys up to the query */
  const i = slot.get(l * H + h);
  if (i === undefined || s > t) return i === undefined ? NaN : 0;
  const root = A.pattern.x[i * A.pattern.shape[1] + t * (t + 1) / 2 + s] / 255;
  return root * root;
}

/* ---- making elements ---- */

function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const name in attributes || {}) {
    if (name === "on") for (const event in attributes.on) made.addEventListener(event, attributes.on[event]);
    else if (attributes[name] !== null) made.setAttribute(name, attributes[name]);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) made.append(child);
  return made;
}
function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes || {}) made.setAttribute(name, attributes[name]);
  made.append(...children);
  return made;
}
const SEGMENTS = (id) => D.labels[id] || [["[" + id + "]", true]];
const plain = (id) => SEGMENTS(id).map((s) => s[0]).join("");
const quoted = (id) => "“" + plain(id) + "”";
function inside(id) {                      /* a token's text: spaces as faint dots, escapes in another colour */
  const parts = [];
  for (const [text, escaped] of SEGMENTS(id)) {
    if (escaped) parts.push(el("span", { class: "esc" }, text));
    else text.split(/( )/).forEach((piece) => { if (piece) parts.push(piece === " " ? el("span", { class: "sp" }, "·") : piece); });
  }
  return parts;
}
const token = (id, extra) => el("span", { class: "tok" + (extra ? " " + extra : "") }, inside(id));
const nats = (x) => Number.isFinite(x) ? x.toFixed(2) : "–";
const percent = (x) => !Number.isFinite(x) ? "–" : x >= 0.0995 ? Math.round(100 * x) + "%" : x >= 0.001 ? (100 * x).toFixed(1) + "%" : "<0.1%";
function short(x) {
  if (!Number.isFinite(x)) return "–";
  const size = Math.abs(x);
  return x === 0 ? "0" : size < 0.001 || size >= 10000 ? x.toExponential(1) : size < 1 ? x.toFixed(3) : size < 100 ? x.toFixed(2) : x.toFixed(0);
}
const count = (n) => n.toLocaleString("en-US");

/* ---- colour: one ramp from little to much, one from below to above zero; both can be told apart by every kind of eye ---- */

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const RAMPS = {
  light: { more: ["#f3f6fb", "#cadcf0", "#8db6de", "#4382c3", "#123f73"], both: ["#8f4300", "#dd8a3c", "#f7d9b8", "#f5f6f8",
    "#c5dcf0", "#5b9bd1", "#0b4f91"] },
  dark: { more: ["#1b212a", "#1c3d63", "#2a6ca9", "#69b0ea", "#dcf0ff"], both: ["#ffc07f", "#c9762a", "#5d3a1b", "#20262f",
    "#1c466f", "#3f8fd4", "#b4defe"] },
};
function rgb(hex) { return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)); }
function mix(stops, x) {
  const place = Math.min(1, Math.max(0, x)) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(place)), f = place - i;
  const a = rgb(stops[i]), b = rgb(stops[i + 1]);
  return a.map((v, k) => Math.round(v + (b[k] - v) * f));
}
const ramp = (kind) => RAMPS[dark.matches ? "dark" : "light"][kind];
const colour = (kind, x) => mix(ramp(kind), kind === "both" ? (x + 1) / 2 : x);
const css = (c) => "rgb(" + c.join(",") + ")";
const linear = (v) => v <= 10 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4;
const inkOn = (c) => (0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]) > 0.179 ? "#000000" : "#ffffff");
const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
function legend(kind, low, high) {
  const bar = el("i");
  bar.style.background = "linear-gradient(90deg," + ramp(kind).join(",") + ")";
  return el("span", { class: "ramp", "aria-hidden": "true" }, low, bar, high);
}

/* ---- the state ---- */

function set(changes) {
  Object.assign(state, changes);
  state.t = Math.min(T - 1, Math.max(0, state.t));
  drawers.forEach((draw) => draw());
}
function onDraw(draw) { drawers.push(draw); draw(); }
dark.addEventListener("change", () => set({}));
let resizing = 0;
window.addEventListener("resize", () => { cancelAnimationFrame(resizing); resizing = requestAnimationFrame(() => set({})); });

/* ---- panels, tables, charts ---- */

const main = document.getElementById("main");
let row = null;
function panel(id, width, heading, why, controls) {
  if (!row || width === 12 || row.left < width) { row = { left: 12, node: el("div", { class: "grid" }) }; main.append(row.node); }
  row.left -= width;
  const made = el("section", { class: "panel w" + width, id, "aria-labelledby": id + "-h" },
    el("div", { class: "head" }, el("h2", { id: id + "-h" }, heading), controls || null), why ? el("p", { class: "why" },
      why) : null);
  row.node.append(made);
  return made;
}
function choice(label, options, onChange) {
  const select = el("select", { on: { change: () => onChange(select.value) } },
    options.map(([value, text]) => el("option", { value }, text)));
  return { node: el("label", {}, label + " ", select), get value() { return select.value; } };
}
function asTable(host, caption, make) {      /* the same numbers, for screen readers and for copying */
  const box = el("div", { class: "table", tabindex: 0, role: "region", "aria-label": caption });
  const details = el("details", {}, el("summary", {}, "As a table"), box);
  const fill = () => {
    if (!details.open) return;
    const [header, rows] = make();
    box.replaceChildren(el("table", {}, el("caption", {}, caption), el("thead", {},
      el("tr", {}, header.map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, rows.map((r) => el("tr", {}, r.map((v, i) => el(i ? "td" : "th", i ? {} : { scope: "row" }, v)))))));
  };
  details.addEventListener("toggle", fill);
  host.append(details);
  onDraw(fill);
}

/* A heat map on a canvas. Clicking or the arrow keys choose a cell; what it says is read out. */
function heatmap(host, o) {
  const canvas = el("canvas", { tabindex: 0, role: "img" }), readout = el("p", { class: "readout", "aria-live": "polite" });
  const scroller = el("div", { class: "scroll" }, canvas), key = el("div");
  host.append(el("div", { class: "heat" }, scroller, key, readout));
  const gap = o.gap ? 5 : 0, gaps = (c) => (o.gap ? Math.floor(c / o.gap) * gap : 0);
  let cell = 10, tall = 10, left = 30, top = 4;
  const x = (c) => left + c * cell + gaps(c), y = (r) => top + r * tall;
  function draw() {
    const width = Math.max(200, scroller.clientWidth - 12);
    left = o.left || 34;
    cell = Math.max(o.min || 7, Math.min(o.max || 26, Math.floor((width - left - gaps(o.cols - 1)) / o.cols)));
    tall = Math.min(cell, o.tall || cell);
    const under = o.colLabel ? (o.longLabels && cell >= 11 ? 64 : 18) : 4;
    const w = x(o.cols - 1) + cell + 4, h = y(o.rows) + under, ratio = window.devicePixelRatio || 1;
    canvas.width = w * ratio; canvas.height = h * ratio;
    canvas.style.width = w + "px"; canvas.style.height = h + "px";
    const ctx = canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    ctx.font = "10px system-ui, sans-serif"; ctx.textBaseline = "middle";
    const kind = o.kind(), most = o.most();
    for (let r = 0; r < o.rows; r++) for (let c = 0; c < o.cols; c++) {
      if (o.skip && o.skip(r, c)) continue;
      const value = o.value(r, c), pad = cell > 12 ? 1 : 0.5;
      if (o.paint && o.paint(ctx, x(c), y(r), cell - pad, r, c, tall - pad)) continue;
      ctx.fillStyle = Number.isFinite(value) ? css(colour(kind, value / most)) : variable("--faint");
      ctx.fillRect(x(c), y(r), cell - pad, tall - pad);
      if (!Number.isFinite(value) || (o.dotted && o.dotted(r, c))) {
        ctx.fillStyle = variable("--soft");
        ctx.fillRect(x(c) + cell / 2 - 1.5, y(r) + tall / 2 - 1.5, 2, 2);
      }
    }
    ctx.fillStyle = variable("--soft");
    ctx.textAlign = "right";
    const every = (space, size) => Math.max(1, Math.ceil(space / size));
    for (let r = 0; r < o.rows; r += every(11, tall)) ctx.fillText(o.rowLabel(r), left - 5, y(r) + tall / 2);
    if (o.colLabel) {
      const long = o.longLabels && cell >= 11, name = (c) => String(o.longLabels ? c : o.colLabel(c));
      let widest = 0;
      for (let c = 0; c < o.cols && !long; c++) widest = Math.max(widest, ctx.measureText(name(c)).width);
      const step = long ? 1 : every(widest + 5, cell);
      for (let c = 0; c < o.cols; c += step) {
        ctx.save();
        ctx.translate(x(c) + cell / 2, y(o.rows) + (long ? 6 : 9));
        if (long) { ctx.rotate(-Math.PI / 2.6); ctx.textAlign = "right"; ctx.fillText(o.colLabel(c).slice(0, 9), 0, 2); }
        else { ctx.textAlign = "center"; ctx.fillText(name(c), 0, 2); }
        ctx.restore();
      }
    }
    ctx.strokeStyle = variable("--cursor"); ctx.lineWidth = 2;
    for (const [r, c] of o.marked()) {
      const r0 = r === null ? 0 : r, c0 = c === null ? 0 : c;
      ctx.strokeRect(x(c0) - 1, y(r0) - 1, (c === null ? x(o.cols - 1) + cell - x(0) : cell) + 1,
        (r === null ? o.rows * tall : tall) + 1);
    }
    key.replaceChildren(...(o.legend ? o.legend() : [legend(kind, kind === "both" ? short(-most) : "0", short(most))]));
    canvas.setAttribute("aria-label", o.name() + ". " + o.text(...o.focus()) + ". Arrow keys move.");
    if (document.activeElement === canvas || !readout.textContent) readout.textContent = o.text(...o.focus());
  }
  function hit(event) {
    const box = canvas.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    const r = Math.floor((py - top) / tall);
    let c = -1;
    for (let i = 0; i < o.cols; i++) if (px >= x(i) && px < x(i) + cell) c = i;
    return r >= 0 && r < o.rows && c >= 0 ? [r, c] : null;
  }
  canvas.addEventListener("mousemove", (event) => { const cell = hit(event); if (cell) readout.textContent = o.text(...cell); });
  canvas.addEventListener("mouseleave", () => { readout.textContent = o.text(...o.focus()); });
  canvas.addEventListener("click", (event) => { const cell = hit(event); if (cell) { o.pick(...cell);
    readout.textContent = o.text(...cell); } });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [r, c] = o.focus();
    o.pick(Math.min(o.rows - 1, Math.max(0, r + step[0])), Math.min(o.cols - 1, Math.max(0, c + step[1])));
    readout.textContent = o.text(...o.focus());
  });
  onDraw(draw);
  return canvas;
}

/* Lines over the layers. Each has its own dash, and its name stands at its end. */
function lines(host, o) {
  const box = el("div");
  host.append(box);
  onDraw(() => {
    const series = o.series(), n = series[0].values.length, W = Math.max(260, box.clientWidth), HH = o.height || 150, left = 40,
      right = 92, low = 22;
    const all = series.flatMap((s) => s.values).filter(Number.isFinite), most = o.most || Math.max(...all, 1e-9);
    const least = o.log ? Math.min(...all.filter((v) => v > 0), most / 10) : 0,
      share = (v) => (o.log ? Math.log(Math.max(v, least) / least) / Math.log(most / least) : v / most);
    const px = (i) => left + (W - left - right) * (n > 1 ? i / (n - 1) : 0.5), py = (v) => 8 + (HH - 8 - low) * (1 - share(v));
    const chart = svg("svg", { viewBox: `0 0 ${W} ${HH}`, role: "img",
      "aria-label": o.name() + ". " + series.map((s) => s.name + ": " + s.values.map((v) => o.format(v)).join(", ")).join(". ") });
    for (const v of o.log ? [least, Math.sqrt(least * most), most] : [0, most / 2, most]) chart.append(svg("line", { x1: left,
      x2: W - right, y1: py(v), y2: py(v), class: "axis" }),
      svg("text", { x: left - 6, y: py(v) + 4, "text-anchor": "end" }, o.format(v)));
    const step = Math.ceil(n / ((W - left - right) / 34));
    for (let i = 0; i < n; i += step) chart.append(svg("text", { x: px(i), y: HH - 5, "text-anchor": "middle" }, o.label(i)));
    const ends = [];
    series.forEach((s, k) => {
      const points = s.values.map((v, i) => [px(i), py(v)]).filter((p) => Number.isFinite(p[1]));
      const cls = "abc"[k];
      if (points.length) chart.append(svg("path", { d: "M" + points.map((p) => p.join(" ")).join("L"), class: cls }));
      let yy = points.length ? points[points.length - 1][1] : 20;
      while (ends.some((e) => Math.abs(e - yy) < 12)) yy += yy > HH / 2 ? -12 : 12;
      ends.push(yy);
      chart.append(svg("text", { x: W - right + 6, y: yy + 4, class: cls }, s.name));
    });
    box.replaceChildren(chart);
  });
}
function bars(host, name, make) {
  const box = el("div", { class: "bars", role: "list", "aria-label": name });
  host.append(box);
  onDraw(() => {
    const entries = make(), most = Math.max(...entries.map((e) => Math.abs(e.value)), 1e-9),
      below = entries.some((e) => e.value < 0);
    box.replaceChildren(...entries.flatMap((e) => {
      const bar = el("i", { class: e.value < 0 ? "neg" : null }), share = 100 * Math.abs(e.value) / most;
      bar.style.width = (below ? share / 2 : share) + "%";
      bar.style.left = below ? (e.value < 0 ? 50 - share / 2 : 50) + "%" : "0";
      return [el("span", { role: "listitem", "aria-label": e.said + " " + e.shown }, e.label), el("span",
        { class: "track" + (e.is ? " is" : ""), "aria-hidden": "true" }, bar),
        el("span", { class: "v", "aria-hidden": "true" }, e.shown)];
    }));
  });
}

/* ---- what the model is, and whether the numbers can be trusted ---- */

function top() {
  document.getElementById("top").append(el("h1", {}, "Inside " + D.source), el("p", { class: "facts" },
    `${D.family} of ${count(D.parameters)} parameters · ${L} layers of ${D.hidden} · ${H} heads of ${D.head_dim}` +
    (GROUP > 1 ? `, ${GROUP} to a key/value head` : "") + ` · vocabulary ${count(D.vocab)} · run by ${D.twin === "jax" ? "JAX" : "NumPy"} in ${D.numbers}`),
    el("p", { class: "facts" }, D.date + (D.command ? " · " + D.command : "")));
}
function trust() {
  const holds = D.checks.filter((c) => c.verdict === "holds").length, fails = D.checks.filter((c) => c.verdict === "fails").length;
  const made = panel("trust", 12, "Can these numbers be trusted?", null);
  if (D.broken) {
    made.append(el("p", { class: "verdict fails" }, "✗ No: " + D.broken + "."), el("p", {},
      "What follows from such numbers says nothing, so nothing of it is shown. Look at the weights."));
    return;
  }
  if (!D.checks.length) { made.append(el("p", {}, "Not checked: the end of the page says why, and what does it.")); return; }
  const skipped = D.checks.length - holds - fails;
  made.append(el("p", { class: "verdict " + (fails ? "fails" : "holds") },
    (fails ? `✗ ${fails} of ${D.checks.length} identities fail: do not trust what depends on them.` :
    `✓ ${holds} identities hold`) + (!fails && skipped ? `, ${skipped} could not be checked here.` : fails ? "" : ".")),
    el("details", fails ? { open: "" } : {}, el("summary", {}, "Which, and how far they are from failing"),
    el("p", { class: "why" }, "Each was measured on this prompt just now: the largest difference, relative to the largest number concerned."),
    el("ul", { class: "checks" }, D.checks.map((c) => el("li", {},
      el("span", { class: c.verdict.split(" ")[0], "aria-hidden": "true" }, { holds: "✓", fails: "✗" }[c.verdict] || "–"),
      el("span", { class: "name" }, c.name, el("span", { class: "skip" }, ": " + c.verdict)),
      el("span", { class: "num", title: "tolerance " + c.tolerance },
        c.difference === null ? "not checked" : c.difference === 0 && c.tolerance === 0 ? "0, to the bit" :
        (typeof c.difference === "string" ? c.difference : c.difference === 0 ? "0" : c.difference.toExponential(1)) + (c.verdict === "fails" ? " > " : " ≤ ") + short(c.tolerance)),
      el("span", { class: "mean" }, c.skipped || c.meaning))))));
}
function effort() {
  if (!D.effort) return;
  document.getElementById("top").append(el("p", { class: "warn" }, el("b", {}, "Not everything was computed: "),
    `about ${D.effort[0]} s were given. The end of the page says what is missing; all of it: `, el("code", {}, D.effort[1])));
}

/* ---- the tokens: the cursor of the whole page ---- */

const nextToken = (t) => (t + 1 < T ? D.tokens[t + 1] : D.broken ? D.tokens[t] : at("part_token", t));
function strip() {
  const list = el("div", { class: "tokens", id: "tokens", role: "listbox", tabindex: 0,
    "aria-label": "Tokens of the prompt. Arrow keys move the cursor of all panels." });
  const status = el("div", { class: "status", "aria-live": "polite" });
  const chips = D.tokens.map((id, t) => {
    const chip = el("div", { class: "token", role: "option", id: "token-" + t,
      on: { click: () => { set({ t }); list.focus({ preventScroll: true }); } } },
      inside(id), el("span", { class: "look", "aria-hidden": "true" }, el("i")));
    list.append(chip);
    return chip;
  });
  list.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: state.t - 1, ArrowRight: state.t + 1, Home: 0, End: T - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    set({ t: to });
  });
  main.append(el("div", { id: "strip" }, list, status));
  onDraw(() => {
    const [l, h] = state.head;
    chips.forEach((chip, t) => {
      const surprise = at("surprise", t), c = colour("more", Number.isFinite(surprise) ? Math.min(1, surprise / 10) * 0.62 : 0);
      chip.style.background = css(c); chip.style.color = inkOn(c);
      chip.className = "token" + (t === state.t ? " now" : t > state.t ? " later" : "");
      chip.setAttribute("aria-selected", t === state.t);
      chip.setAttribute("aria-label", `position ${t}, ${plain(D.tokens[t]) || "empty"}` + (Number.isFinite(surprise) ? `, surprise ${nats(surprise)} nats` : ""));
      chip.querySelector("i").style.width = 100 * (D.broken ? 0 : attention(l, h, state.t, t) || 0) + "%";
    });
    list.setAttribute("aria-activedescendant", "token-" + state.t);
    const now = chips[state.t], box = list.getBoundingClientRect(), place = now.getBoundingClientRect();
    if (place.left < box.left || place.right > box.right) list.scrollLeft += place.left - box.left - box.width / 2;
    if (place.top < box.top || place.bottom > box.bottom) list.scrollTop += place.top - box.top - box.height / 2;
    const surprise = at("surprise", state.t);
    status.replaceChildren(el("span", {}, "position ", el("b", {}, String(state.t)), " ", token(D.tokens[state.t])),
      ...(D.broken ? [] : [el("span", {}, Number.isFinite(surprise) ? "surprise " : "", el("b", {},
        Number.isFinite(surprise) ? nats(surprise) + " nats" : "the first token: nothing foretold it"),
        Number.isFinite(surprise) ? ` (p ${percent(Math.exp(-surprise))})` : ""), el("span", {}, "bars: where head ",
          el("b", {}, `${l}.${h}`), " looks from here"), el("span", {}, "shade: surprise")]));
  });
}

/* ---- what comes next ---- */

function answers() {
  const made = panel("next", 5, "What comes next", "The likeliest tokens after the cursor; the one that really follows is framed.");
  const about = el("p", { class: "readout" });
  bars(made, "likeliest next tokens", () => {
    const t = state.t, entries = [];
    for (let k = 0; k < A.answer_token.shape[1]; k++) {
      const id = at("answer_token", t, k), value = at("answer_p", t, k);
      entries.push({ label: token(id), said: quoted(id), value, shown: percent(value), is: t + 1 < T && id === D.tokens[t + 1] });
    }
    return entries;
  });
  made.append(about);
  onDraw(() => about.replaceChildren(...(state.t + 1 < T ? ["Really next: ", token(D.tokens[state.t + 1]),
    ` p ${percent(Math.exp(-at("surprise", state.t + 1)))}, rank ${at("rank", state.t)}. `] : ["The prompt ends here. "]),
    `Entropy ${nats(at("entropy", state.t))} nats.`));
}

/* ---- heads ---- */

const METRICS = [
  ["pattern", "their patterns"], ["ablate_kl", "ablated: change at the cursor (KL, nats)"], ["ablate_mean",
    "ablated: mean change (KL, nats)"],
  ["part", "direct effect on the next token's logit"], ["repeat_induction", "induction score, random repeats"],
    ["repeat_previous", "previous-token score, random repeats"],
  ["repeat_duplicate", "duplicate-token score, random repeats"], ["here_induction", "induction score, this prompt"],
    ["here_previous", "previous-token score, this prompt"], ["copying", "copying score of the weights (0.5: chance)"],
];
const meanOf = (name, l, h) => { let sum = 0; for (let t = 0; t < T; t++) sum += at(name, l, h, t); return sum / T; };
function metric(kind, l, h) {
  if (kind === "ablate_kl") return at("ablate_head_kl", l, h, state.t);
  if (kind === "ablate_mean") return meanOf("ablate_head_kl", l, h);
  if (kind === "part") return at("part_head", state.t, l, h);
  return at(kind, l, h);
}
function thumbnails() {
  const kept = new Map();
  return (ctx, x, y, size, l, h, tall) => {
    const key = l * H + h;
    if (slot.get(key) === undefined) return false;
    const theme = dark.matches ? "d" : "l";
    if (!kept.has(theme + key)) {
      const small = el("canvas", { width: T, height: T }), inner = small.getContext("2d"), image = inner.createImageData(T, T);
      for (let t = 0; t < T; t++) for (let s = 0; s < T; s++) {
        const c = colour("more", Math.sqrt(attention(l, h, t, s)));
        image.data.set([c[0], c[1], c[2], 255], 4 * (t * T + s));
      }
      inner.putImageData(image, 0, 0);
      kept.set(theme + key, small);
    }
    ctx.imageSmoothingEnabled = size < T;
    ctx.drawImage(kept.get(theme + key), x, y, size, tall);
    return true;
  };
}
function heads() {
  const shown = choice("colour by",
    METRICS.filter(([kind]) => kind === "pattern" || kind.startsWith("ablate") || kind === "part" || A[kind]), () => set({}));
  const made = panel("heads", 6, "Heads",
    "Rows are layers, columns heads" + (GROUP > 1 ? `; the ${GROUP} heads side by side share a key/value head` : "") + ". Choose one.", shown.node);
  const kind = () => (shown.value === "part" ? "both" : "more");
  heatmap(made, {
    rows: L, cols: H, gap: GROUP > 1 ? GROUP : 0, min: 14, max: Math.max(48, Math.min(112, Math.floor(440 / L))), tall: Math.max(22, Math.min(112, Math.floor(440 / L))),
      rowLabel: (r) => "L" + r, colLabel: (c) => c, kind,
    value: (r, c) => (shown.value === "pattern" ? NaN : metric(shown.value, r, c)),
    most: () => { let most = 1e-6; if (shown.value !== "pattern") for (let l = 0; l < L; l++) for (let h = 0; h < H;
      h++) most = Math.max(most, Math.abs(metric(shown.value, l, h)) || 0); return most; },
    paint: ((thumb) => (ctx, x, y, size, r, c, tall) => shown.value === "pattern" && thumb(ctx, x, y, size, r, c, tall))(thumbnails()),
    legend: () => (shown.value === "pattern" ? [legend("more", "no attention", "all of it")] : [legend(kind(),
      kind() === "both" ? "less likely" : "0", kind() === "both" ? "likelier" : "most")]),
    marked: () => [state.head], focus: () => state.head, pick: (r, c) => set({ head: [r, c] }),
    name: () => "Grid of heads, " + shown.node.textContent,
    text: (r, c) => `head ${r}.${c}` + (shown.value === "pattern" ? "" : `: ${short(metric(shown.value, r, c))}`) + (slot.has(r * H + c) ? "" : " (pattern left out)"),
  });
  asTable(made, "Scores of every head", () => [["head", "previous", "duplicate", "induction", "ablated, mean KL", "control",
    "logit at the cursor"],
    Array.from({ length: L * H }, (_, i) => { const l = Math.floor(i / H), h = i % H; return [`${l}.${h}`,
      short(at("repeat_previous", l, h)), short(at("repeat_duplicate", l, h)),
      short(at("repeat_induction", l, h)), short(meanOf("ablate_head_kl", l, h)), short(meanOf("ablate_head_control_kl", l, h)),
        short(at("part_head", state.t, l, h))]; })]);
}
function others(l, h) {                    /* the mean effect of all other heads: what one drawn at random would do */
  let sum = 0, n = 0;
  for (let i = 0; i < L * H; i++) { const m = meanOf("ablate_head_kl", Math.floor(i / H), i % H);
    if (i !== l * H + h && Number.isFinite(m)) { sum += m; n++; } }
  return n ? sum / n : NaN;
}
function chosenHead() {
  const made = panel("pattern", 6, "The chosen head", null), heading = made.querySelector("h2"), facts = el("dl",
    { class: "facts-list" });
  const why = el("p", { class: "why" },
    "Each row is a token that looks, each column a token that is looked at. The cursor's row is framed.");
  made.append(why);
  heatmap(made, {
    rows: T, cols: T, min: 3, max: 16, left: T <= 40 ? 64 : 34, rowLabel: (r) => (T <= 40 ? plain(D.tokens[r]).slice(0, 9) : r),
      colLabel: (c) => plain(D.tokens[c]), longLabels: true,
    kind: () => "more", value: (r, c) => Math.sqrt(attention(...state.head, r, c)), most: () => 1, skip: (r, c) => c > r,
    legend: () => [legend("more", "0", "1 (by the root)")], marked: () => [[state.t, null]], focus: () => [state.t, state.t],
      pick: (r) => set({ t: r }),
    name: () => `Attention pattern of head ${state.head.join(".")}`,
    text: (r, c) => { if (c < r) return `from ${r} ${quoted(D.tokens[r])} to ${c} ${quoted(D.tokens[c])}: ${percent(attention(...state.head, r, c))}`;
      let best = 0; for (let s = 1; s <= r; s++) if (attention(...state.head, r, s) > attention(...state.head, r, best)) best = s;
      return `from ${r} ${quoted(D.tokens[r])} most goes to ${best} ${quoted(D.tokens[best])}: ${percent(attention(...state.head, r, best))}`; },
  });
  made.append(facts, el("p", { class: "warn" }, el("b", {}, "Attention is not explanation. "),
    "A pattern shows where a head reads, not what it passes on, nor whether anything depends on it. Whether it matters is what ablation and patching measure, each beside its control."));
  onDraw(() => {
    const [l, h] = state.head, uniform = D.uniform || {}, against = (x,
      u) => short(x) + (u === null || u === undefined ? "" : ` (even attention: ${short(u)})`);
    heading.textContent = `Head ${l}.${h}` + (GROUP > 1 ? `, key/value head ${Math.floor(h / GROUP)}` : "");
    const pairs = [["taken out", `mean KL ${short(meanOf("ablate_head_kl", l, h))} nats`], ["its controls",
      `a head drawn at random: ${short(others(l, h))}; a random vector as long: ${short(meanOf("ablate_head_control_kl", l, h))}`],
      ["adds here", `${short(at("part_head", state.t, l, h))} to ${D.pair ? `the lead of ${quoted(D.pair[0])}` : `the logit of ${quoted(nextToken(state.t))}`}`]];
    for (const kind of ["previous", "duplicate", "induction"]) if (A["repeat_" + kind]) pairs.push([kind,
      against(at("repeat_" + kind, l, h), uniform.repeat && uniform.repeat[kind])]);
    facts.replaceChildren(...pairs.flatMap(([a, b]) => [el("dt", {}, a), el("dd", {}, b)]));
  });
}

/* ---- layers ---- */

function lens() {
  if (!A.lens_token) return;
  const made = panel("lens", 12, "Logit lens: what it would say after each layer",
    "The residual stream after each layer, read by the final norm and the head. Shade: how likely the token. Only the last row was trained to be read like this.");
  const head = D.tokens.map((id, t) => el("th", { scope: "col", on: { click: () => set({ t }) } }, inside(id)));
  const cells = Array.from({ length: L + 1 }, (_, i) => D.tokens.map((_, t) => { const id = at("lens_token", i, t, 0);
    return el("td", { title: `${plain(id)} ${percent(at("lens_p", i, t, 0))}`, on: { click: () => set({ t, lens: i }) } },
      inside(id)); }));
  const box = el("div", { class: "lens", tabindex: 0, role: "region", "aria-label": "Logit lens, layers by tokens" },
    el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "after"), head)),
    el("tbody", {}, cells.map((line, i) => el("tr", {}, el("th", { scope: "row" }, i === 0 ? "embedding" : "layer " + (i - 1)),
      line)))));
  made.append(box);
  const below = el("div", { class: "pair" }), a = el("div", {},
    el("h3", {}, "Distance from the answer; chance and rank of the next token")), b = el("div"), title = el("h3");
  b.append(title); below.append(a, b); made.append(below);
  const column = (name) => Array.from({ length: L + 1 }, (_, i) => at(name, i, state.t));
  lines(a, { name: () => "KL to the answer after each layer at the cursor",
    series: () => [{ name: "KL, nats", values: column("lens_kl") }, { name: "entropy, nats", values: column("lens_entropy") }],
    label: (i) => (i ? i - 1 : "emb"), format: short });
  lines(a, { name: () => "Chance of the text's next token after each layer, logarithmic", height: 130, log: true,
    series: () => [{ name: "p(next)", values: column("lens_next").map((v) => Math.exp(Math.max(v, -16))) }],
    label: (i) => (i ? i - 1 : "emb"), format: (v) => (v < 0.001 ? v.toExponential(0) : percent(v)) });
  lines(a, { name: () => "Rank of the text's next token after each layer, logarithmic", height: 130, log: true,
    series: () => [{ name: "rank", values: column("lens_rank") }],
    label: (i) => (i ? i - 1 : "emb"), format: (v) => count(Math.round(v)) });
  bars(b, "likeliest tokens at the chosen layer", () => Array.from({ length: A.lens_token.shape[2] },
    (_, k) => { const id = at("lens_token", state.lens, state.t, k), value = at("lens_p", state.lens, state.t, k);
    return { label: token(id), said: quoted(id), value, shown: percent(value), is: id === nextToken(state.t) }; }));
  let before = -1;
  onDraw(() => {
    title.textContent = `${state.lens ? "After layer " + (state.lens - 1) : "The embedding"}, at the cursor`;
    cells.forEach((line, i) => line.forEach((cell, t) => {
      const c = colour("more", 0.85 * at("lens_p", i, t, 0));
      cell.style.background = css(c); cell.style.color = inkOn(c);
      cell.className = t === state.t ? "now" : "";
    }));
    head.forEach((th, t) => { th.className = t === state.t ? "now" : ""; });
    if (before !== state.t) { const th = head[state.t]; box.scrollLeft = Math.max(0, th.offsetLeft - box.clientWidth / 2);
      before = state.t; }
  });
}
function attribution() {
  const made = panel("attribution", 6, "Where the logit comes from", null), why = el("p", { class: "why" }), box = el("div");
  made.append(why, box, el("h3", {}, "The heads that add and take most"));
  onDraw(() => {
    const t = state.t, groups = [["emb", at("part_embed", t), 0]];
    let heads = 0;
    for (let l = 0; l < L; l++) {
      heads = at("part_bias", t, l);
      for (let h = 0; h < H; h++) heads += at("part_head", t, l, h);
      groups.push([l, heads, at("part_mlp", t, l)]);
    }
    const total = at("part_logit", t), rest = at("part_norm", t);
    why.replaceChildren(...(D.pair ? [`The lead of `, token(D.pair[0]), " over ", token(D.pair[1]), ` (difference of logits) is `] :
      [`The logit of `, token(nextToken(t)), `${t + 1 < T ? " (which follows)" : " (the likeliest)"} is `]),
      `${short(total)}: the embedding, every head and every MLP add to it${rest ? `, and the norm's bias ${short(rest)}` : ""}. Direct paths only.`);
    const W = Math.max(260, box.clientWidth), HH = 190, left = 40, step = (W - left - 4) / groups.length, wide = Math.min(18,
      step / 2.6);
    const high = Math.max(0, ...groups.flatMap((g) => [g[1], g[2]])), low = Math.min(0, ...groups.flatMap((g) => [g[1], g[2]])),
      span = high - low || 1;
    const py = (v) => 22 + (HH - 44) * (high - v) / span;
    const chart = svg("svg", { viewBox: `0 0 ${W} ${HH}`, role: "img",
      "aria-label": "Contribution of each layer: " + groups.map((g) => `${g[0] === "emb" ? "embedding" : "layer " + g[0]}: attention ${short(g[1])}, MLP ${short(g[2])}`).join("; ") });
    for (const v of [low, 0, high].filter((v) => v === 0 || Math.abs(py(v) - py(0)) > 13)) chart.append(svg("line", { x1: left,
      x2: W, y1: py(v), y2: py(v), class: "axis" }), svg("text", { x: left - 6, y: py(v) + 4, "text-anchor": "end" }, short(v)));
    groups.forEach(([name, a, b], i) => {
      const x = left + step * (i + 0.5);
      for (const [v, cls, dx] of [[a, "a", name === "emb" ? -wide / 2 : -wide], [b, "b", 0]])
        if (v) chart.append(svg("rect", { x: x + dx, width: Math.max(1, wide - 1), y: Math.min(py(0), py(v)),
          height: Math.abs(py(v) - py(0)), class: cls }));
      if (i % Math.ceil(26 / step) === 0) chart.append(svg("text", { x, y: HH - 4, "text-anchor": "middle" }, String(name)));
    });
    chart.append(svg("text", { x: left + 2, y: 10, class: "a" }, "■ attention, the embedding"), svg("text",
      { x: left + 172, y: 10, class: "b" }, "■ MLP"));
    box.replaceChildren(chart);
  });
  bars(made, "heads that contribute most", () => {
    const all = [];
    for (let l = 0; l < L; l++) for (let h = 0; h < H; h++) all.push([l, h, at("part_head", state.t, l, h)]);
    all.sort((a, b) => b[2] - a[2]);
    return [...all.slice(0, 4), ...all.slice(Math.max(4, all.length - 3))].map(([l, h, value]) => ({ value, shown: short(value),
      said: `head ${l}.${h}`,
      label: el("button", { on: { click: () => set({ head: [l, h] }) } }, `head ${l}.${h}`),
        is: l === state.head[0] && h === state.head[1] }));
  });
  asTable(made, "Contributions at the cursor", () => [["part", "adds"],
    [["embedding", short(at("part_embed", state.t))], ...Array.from({ length: L }, (_, l) => [
    ...Array.from({ length: H }, (_, h) => [`head ${l}.${h}`, short(at("part_head", state.t, l, h))]), [`bias ${l}`,
      short(at("part_bias", state.t, l))], [`MLP ${l}`, short(at("part_mlp", state.t, l))]]).flat(),
    ["norm's bias", short(at("part_norm", state.t))], ["sum: the logit", short(at("part_logit", state.t))]]]);
}
function norms() {
  const made = panel("norms", 7, "How large the residual stream is",
    "Its norm at the cursor before each layer and at the end, and the norms of what attention and MLP add (logarithmic).");
  const column = (name) => Array.from({ length: L }, (_, l) => at(name, l, state.t));
  lines(made, { name: () => "Norms at the cursor", height: 230, log: true,
    series: () => [{ name: "stream", values: [...column("norm_resid_pre"), at("norm_last", state.t)] }, { name: "MLP adds",
      values: column("norm_mlp_out") }, { name: "attention adds", values: column("norm_attn_out") }],
    label: (i) => (i < L ? "L" + i : "end"), format: short });
  asTable(made, "Norms at the cursor", () => [["layer", "stream before", "attention adds", "MLP adds"],
    Array.from({ length: L }, (_, l) => [String(l), ...["resid_pre", "attn_out",
    "mlp_out"].map((n) => short(at("norm_" + n, l, state.t)))])]);
}

/* ---- experiments ---- */

function ablation() {
  if (!A.ablate_head_kl.x.some(Number.isFinite) && !A.ablate_mlp_kl.x.some(Number.isFinite)) return;
  const shown = choice("effect", [["kl", "on the answer at the cursor (KL, nats)"], ["mean", "on all answers (mean KL, nats)"],
    ["surprise", "on the next token's surprise (nats)"]], () => set({}));
  const instead = choice("replaced by", [["ablate", "zeros"], ...(D.mean ? [["mean", D.mean]] : [])], () => set({}));
  const made = panel("ablation", 6, "Taken out: what the model loses",
    "Each head's and MLP's output replaced, one at a time. Right: a random change as long.",
    el("span", {}, shown.node, D.mean ? instead.node : null));
  const field = (c, which) => `${instead.value}_${c < H ? "head" : "mlp"}_${which}`;
  const value = (control) => (r, c) => {
    const name = field(c, (control ? "control_" : "") + (shown.value === "surprise" ? "surprise" : "kl")), n = c < H ? c : 0;
    return shown.value === "mean" ? meanOf(name, r, n) : at(name, r, n, state.t);
  };
  const most = (from, to) => { let found = 1e-6; for (let r = 0; r < L; r++) for (let c = from; c < to;
    c++) found = Math.max(found, Math.abs(value(false)(r, c)) || 0); return found; };
  const pair = el("div", { class: "pair control" }), sides = [el("div", {}, el("h3", {}, "Heads")),
    el("div", {}, el("h3", {}, "Control: random vectors"))];
  pair.append(...sides); made.append(pair);
  const map = (host, control, name, from, cols, rowLabel) => heatmap(host, {
    rows: L, cols, gap: cols > 1 && GROUP > 1 ? GROUP : 0, min: 8, max: 40, tall: 18, rowLabel: (r) => "L" + r,
      colLabel: (c) => (cols > 1 ? c : ""), kind: () => (shown.value === "surprise" ? "both" : "more"),
    value: (r, c) => value(control)(r, c + from), most: () => most(from, from + cols), marked: () => (from ? [] : [state.head]),
      focus: () => (from ? [Math.min(state.head[0], L - 1), 0] : state.head),
    pick: (r, c) => { if (!from) set({ head: [r, c] }); else set({ head: [r, state.head[1]] }); }, name: () => name,
    text: (r, c) => `${from ? "MLP " + r : `head ${r}.${c}`}${control ? ", random vector" : ""}: ${Number.isFinite(value(control)(r, c + from)) ? short(value(control)(r, c + from)) + " nats" : state.t + 1 === T && shown.value === "surprise" ? "the prompt ends here: no next token" : "left out"}` });
  map(sides[0], false, "Ablation of heads", 0, H); map(sides[1], true, "Control of the ablation of heads", 0, H);
  const mlps = el("div", { class: "pair control" }), both = [el("div", {}, el("h3", {}, "MLPs")), el("div", {}, el("h3", {}, "Control"))];
  mlps.append(...both); made.append(mlps);
  const strips = (host, control) => heatmap(host, { rows: 1, cols: L, min: 8, max: 30, rowLabel: () => "MLP",
    colLabel: (c) => "L" + c, kind: () => (shown.value === "surprise" ? "both" : "more"),
    value: (_, c) => value(control)(c, H), most: () => most(H, H + 1), marked: () => [],
      focus: () => [0, Math.min(L - 1, state.head[0])], pick: (_, c) => set({ head: [c, state.head[1]] }),
      name: () => "Ablation of MLPs" + (control ? ", control" : ""),
    text: (_, c) => `MLP ${c}${control ? ", random vector" : ""}: ${short(value(control)(c, H))} nats` });
  strips(both[0], false); strips(both[1], true);
}
function patching() {
  const P = D.patching;
  if (!P) return;
  const made = panel("patching", 12, "Patched: what brings the answer back", null);
  const text = (ids, other) => el("p", { class: "text" }, ids.map((id, i) => token(id, id !== other[i] ? "diff" : "")));
  made.append(el("p", { class: "why" },
    "From the clean run one activation at a time is put into the corrupt run. Blue: as much of the clean answer returns as the legend says (1: all of it); orange: it moves away. Right: the control, a random vector as long as the difference."),
    el("h3", {}, "Clean"), text(D.tokens, P.tokens), el("h3", {}, "Corrupt"), text(P.tokens, D.tokens),
    el("p", {}, "Measured at the end: logit of ", token(P.token), " minus logit of ", token(P.rival),
      `. Clean ${short(P.clean)}, corrupt ${short(P.corrupt)}.`));
  const names = { resid_pre: "Residual stream before each layer", attn_out: "Output of attention", mlp_out: "Output of the MLP",
    z: "Heads (z), at all positions", q: "Queries", k: "Keys of the key/value heads", v: "Values of the key/value heads" };
  const group = el("div", { class: "sites" });
  made.append(group);
  for (const site in names) {
    if (!A["patch_" + site]) continue;
    const head = site.length === 1, kv = site === "k" || site === "v", cols = kv ? D.groups : head ? H : T,
      control = !!A["patch_" + site + "_control"], pair = el("div", { class: "pair control" }),
      chosen = () => (kv ? [state.head[0], Math.floor(state.head[1] / GROUP)] : state.head);
    group.append(pair);
    for (const which of control ? ["", "_control"] : [""]) {
      const host = el("div", {}, el("h3", {}, which ? "Control: random vectors" : names[site])), name = "patch_" + site + which;
      pair.append(host);
      heatmap(host, { rows: L, cols, gap: head && !kv && GROUP > 1 ? GROUP : 0, min: 6, max: 36, tall: 14, rowLabel: (r) => "L" + r,
        colLabel: (c) => (head ? c : plain(P.tokens[c])), longLabels: !head, kind: () => "both",
        value: (r, c) => at(name, r, c), most: () => 1, dotted: (r, c) => !which && !at("patch_" + site + "_exact", r, c),
          marked: () => (head ? [chosen()] : [[null, state.t]]),
        focus: () => (head ? chosen() : [Math.min(L - 1, state.head[0]), state.t]),
          pick: (r, c) => (head ? set({ head: [r, kv ? c * GROUP : c] }) : set({ t: c, head: [r, state.head[1]] })),
          name: () => "Patching, " + names[site] + (which ? ", control" : ""),
        text: (r, c) => `layer ${r}, ${head ? (kv ? "key/value head " : "head ") + c : `position ${c} ${quoted(P.tokens[c])}`}: ${short(at(name, r, c))} of the answer${which ? ", random vector" : at("patch_" + site + "_exact", r, c) ? "" : ", an estimate by gradient"}` });
    }
  }
  if (A.patch_both) {
    const host = el("div"), title = el("h3");
    made.append(el("div", {}, title, host));
    onDraw(() => { title.textContent = `Heads of layer ${state.head[0]}, position by position`; });
    heatmap(host, { rows: H, cols: T, min: 6, max: 36, tall: 16, rowLabel: (r) => `${state.head[0]}.${r}`, colLabel: (c) => plain(P.tokens[c]),
      longLabels: true, kind: () => "both", value: (r, c) => at("patch_both", state.head[0], r * T + c), most: () => 1,
      dotted: (r, c) => !at("patch_both_exact", state.head[0], r * T + c), marked: () => [[state.head[1], state.t]],
      focus: () => [state.head[1], state.t], pick: (r, c) => set({ t: c, head: [state.head[0], r] }),
      name: () => "Patching heads by position",
      text: (r, c) => `head ${state.head[0]}.${r}, position ${c} ${quoted(P.tokens[c])}: ${short(at("patch_both", state.head[0], r * T + c))} of the answer${at("patch_both_exact", state.head[0], r * T + c) ? "" : ", an estimate by gradient"}` });
  }
  asTable(made, "Heads: share of the answer that returns", () => [["head", "patched", "control"],
    A.patch_z ? Array.from({ length: L * H }, (_, i) => [`${Math.floor(i / H)}.${i % H}`, short(A.patch_z.x[i]),
    A.patch_z_control ? short(A.patch_z_control.x[i]) : "–"]) : []]);
}
function pairs() {
  const P = D.pairs;
  if (!P) return;
  const made = panel("pairs", 12, `On average over ${P.count} pairs of prompts`,
    `Heads of the clean runs put into the corrupt ones: the share of the mean difference (clean ${short(P.clean)}, corrupt ${short(P.corrupt)}) that comes back. Faint dots: the 95% interval, by drawing pairs, holds 0.${A.pairs_ablate_kl ? " Last, each head replaced by zeros: mean KL in nats; dots: not clearly above a random vector as long." : ""}`);
  const names = { z: "Heads (z)", q: "Queries", k: "Keys", v: "Values" }, group = el("div", { class: "sites" });
  made.append(group);
  for (const site in names) {
    if (!A[`pairs_${site}_share`]) continue;
    const kv = site === "k" || site === "v", cols = kv ? D.groups : H, host = el("div", {}, el("h3", {}, names[site]));
    const get = (which, r, c) => at(`pairs_${site}_${which}`, r, c);
    const chosen = () => (kv ? [state.head[0], Math.floor(state.head[1] / GROUP)] : state.head);
    group.append(host);
    heatmap(host, { rows: L, cols, gap: !kv && GROUP > 1 ? GROUP : 0, min: 6, max: 36, tall: 14, rowLabel: (r) => "L" + r, colLabel: (c) => c,
      kind: () => "both", value: (r, c) => get("share", r, c), most: () => Math.max(0.05, ...A[`pairs_${site}_share`].x.filter(Number.isFinite).map(Math.abs)),
      dotted: (r, c) => !(get("low", r, c) > 0 || get("high", r, c) < 0), marked: () => [chosen()], focus: chosen,
      pick: (r, c) => set({ head: [r, kv ? c * GROUP : c] }), name: () => "Averages, " + names[site],
      text: (r, c) => `layer ${r}, ${kv ? "key/value head" : "head"} ${c}: ${Number.isFinite(get("share", r, c)) ? `${short(get("share", r, c))} (95%: ${short(get("low", r, c))} to ${short(get("high", r, c))})` : "left out"}` });
  }
  if (A.pairs_ablate_kl) {
    const host = el("div", {}, el("h3", {}, "Heads taken out of the clean prompts")), get = (which, r, c) => at("pairs_ablate_" + which, r, c);
    group.append(host);
    heatmap(host, { rows: L, cols: H, gap: GROUP > 1 ? GROUP : 0, min: 6, max: 36, tall: 14, rowLabel: (r) => "L" + r, colLabel: (c) => c,
      kind: () => "more", value: (r, c) => get("kl", r, c), most: () => Math.max(1e-6, ...A.pairs_ablate_kl.x), dotted: (r, c) => get("low", r, c) <= get("control_kl", r, c),
      marked: () => [state.head], focus: () => state.head, pick: (r, c) => set({ head: [r, c] }), name: () => "Averages, ablation",
      text: (r, c) => `head ${r}.${c} taken out: mean KL ${short(get("kl", r, c))} nats (95%: ${short(get("low", r, c))} to ${short(get("high", r, c))}), a random vector as long ${short(get("control_kl", r, c))}` });
  }
  asTable(made, "Heads (z): share, and its interval", () => [["head", "share", "from", "to"], A.pairs_z_share ?
    Array.from({ length: L * H }, (_, i) => [`${Math.floor(i / H)}.${i % H}`, ...["share", "low", "high"].map((w) => short(A["pairs_z_" + w].x[i]))]) : []]);
}
function circuits() {
  if (!A.circuit_head) return;
  const made = panel("circuits", 12, "What the chosen head's weights do",
    "OV: if the head looked at one token alone (its embedding), which tokens it would make likelier. QK: the score of a query (rows) for a key one position back, before the softmax. In a text a head reads what earlier layers wrote, not embeddings.");
  const which = () => { for (let i = 0; i < A.circuit_head.shape[0]; i++) if (at("circuit_head", i, 0) === state.head[0] && at("circuit_head", i, 1) === state.head[1]) return i; return -1; };
  const N = A.circuit_token.shape[0], name = (n) => plain(at("circuit_token", n));
  const others = el("p", {}, "Computed for heads "), said = el("p", { class: "why" }), body = el("div", { class: "pair" });
  for (let i = 0; i < A.circuit_head.shape[0]; i++) { const head = [at("circuit_head", i, 0), at("circuit_head", i, 1)];
    others.append(el("button", { on: { click: () => set({ head }) } }, head.join(".")), " "); }
  const table = el("div", { class: "table tokens-table", tabindex: 0, role: "region", "aria-label": "What the head's OV circuit does" }), map = el("div");
  body.append(el("div", {}, el("h3", {}, "OV: looks at, makes likelier, makes less likely"), table), el("div", {}, el("h3", {}, "QK: who attends to whom"), map));
  made.append(others, said, body);
  onDraw(() => {
    const i = which(), copying = at("copying", ...state.head);
    said.textContent = `Head ${state.head.join(".")}: ` + (Number.isFinite(copying) ? `copying score ${short(copying)} (1: raises what it looks at above all others, 0.5: chance, 0: lowers it)` : "no copying score")
      + (i < 0 ? ". Its circuits were not computed: choose one of the heads above, or inspection.ov and inspection.qk." : ".");
    body.hidden = i < 0;
    if (i < 0) return;
    const words = (kind, n) => Array.from({ length: A[kind].shape[2] }, (_, m) => token(at(kind, i, n, m)));
    table.replaceChildren(el("table", {}, el("tbody", {}, Array.from({ length: N }, (_, n) => el("tr", {}, el("th", { scope: "row" }, inside(at("circuit_token", n))),
      el("td", {}, words("circuit_best", n)), el("td", {}, words("circuit_worst", n).slice(0, 3)), el("td", {}, "itself: " + count(at("circuit_rank", i, n))))))));
  });
  if (A.circuit_score) heatmap(map, { rows: N, cols: N, left: 70, min: 8, max: 34, tall: 22, rowLabel: (r) => name(r).slice(0, 10), colLabel: name, longLabels: true,
    kind: () => "both", value: (r, c) => (which() < 0 ? NaN : at("circuit_score", which(), r, c)),
    most: () => { const i = which(); return i < 0 ? 1 : Math.max(...A.circuit_score.x.slice(i * N * N, (i + 1) * N * N).map(Math.abs), 1e-9); },
    marked: () => [], focus: () => [N - 1, 0], pick: () => {}, name: () => `QK scores of head ${state.head.join(".")}`,
    text: (r, c) => `query “${name(r)}” for key “${name(c)}” one back: ${short(which() < 0 ? NaN : at("circuit_score", which(), r, c))}` });
}
function neurons() {
  if (!A.neuron_at) return;
  const by = choice("rank by", [[0, "share of the stream"], [1, "norm of what it writes"], [2, "what it adds to the logit"]], () => set({}));
  const made = panel("neurons", 12, "The strongest neurons at the cursor",
    `Share: the norm of what it writes over the norm of the stream after its layer. Each with the tokens it makes likelier (directly), and where in ${D.neuron_text} it is most active. Those of the last 8 positions were taken out.`, by.node), box = el("div", { class: "neurons" });
  made.append(box);
  onDraw(() => box.replaceChildren(...Array.from({ length: A.neuron_at.shape[2] }, (_, k) => {
    const R = +by.value, n = at("neuron_at", R, state.t, k), active = at("neuron_active", R, state.t, k), many = A.neuron_promotes.shape[1],
      sign = at("neuron_sign", n), effect = at("neuron_effect", 0, n, state.t);
    const promoted = Array.from({ length: many }, (_, i) => token(at("neuron_promotes", n, i)));
    const places = Array.from({ length: Math.min(4, A.neuron_best.shape[1]) }, (_, m) => el("div", { class: "context" },
      Array.from({ length: A.neuron_context.shape[2] }, (_, i) => { const id = at("neuron_context", n, m, i);
        return id < 0 ? null : token(id, i === 4 ? "hot" : ""); }), el("span", { class: "n" },
        " " + short(at("neuron_best", n, m)))));
    return el("div", { class: "neuron" }, el("div", {}, el("b", {},
      `layer ${at("neuron_name", n, 0)}, neuron ${at("neuron_name", n, 1)}`),
      ` · activation ${short(active)} · ` + [`${percent(Math.abs(at("neuron_score", 0, state.t, k)))} of the stream`, `writes ${short(at("neuron_norm", R, state.t, k))}`, `adds ${short(at("neuron_score", 2, state.t, k))}`][R]),
      el("div", {}, Number.isFinite(effect) ? `taken out: KL ${short(effect)} nats here (a random neuron of its layer: ${short(at("neuron_effect", 1, n, state.t))})` : "not taken out"),
      el("div", { class: "line" }, active < 0 ? "makes less likely: " : "makes likelier: ", promoted), el("div",
        { class: "line" }, sign < 0 ? "most negative at" : "most active at", places));
  })));
}
function comparison() {
  const C = D.compare;
  if (!C) return;
  const made = panel("compare", 12, `Against ${C.source}: the error of each layer`,
    "Norm of the difference over the norm of the other checkpoint's activation, all tokens together.");
  const same = A.compare_same.x.reduce((a, b) => a + b, 0), mean = A.compare_kl.x.reduce((a, b) => a + b, 0) / T;
  made.append(el("p", {}, `Both would say the same next token at ${same} of ${T} positions; mean KL ${short(mean)} nats, at the cursor `, onCursor(() => short(at("compare_kl", state.t)) + " nats.")));
  heatmap(made, { rows: L, cols: C.taps.length, min: 24, max: 110, tall: 18, rowLabel: (r) => "L" + r, colLabel: (c) => C.taps[c],
    kind: () => "more", value: (r, c) => at("compare_error", r, c), most: () => Math.max(...A.compare_error.x, 1e-9),
    marked: () => [], focus: () => [Math.min(L - 1, state.head[0]), 0],
    pick: (r) => set({ head: [r, state.head[1]] }), name: () => "Relative error by layer",
      text: (r, c) => `layer ${r}, ${C.taps[c]}: ${percent(at("compare_error", r, c))} (${short(at("compare_error", r, c))})` });
  lines(made, { name: () => "Relative error of the residual stream after each layer",
    series: () => [{ name: "stream", values: Array.from({ length: L }, (_, l) => at("compare_error", l,
      C.taps.indexOf("resid_post"))) }],
    label: (i) => "L" + i, format: short });
  asTable(made, "Relative errors", () => [["layer", ...C.taps], Array.from({ length: L },
    (_, l) => [String(l), ...C.taps.map((_, c) => short(at("compare_error", l, c)))])]);
}
function onCursor(make) { const made = el("b"); onDraw(() => { made.textContent = make(); }); return made; }
function left() {
  const made = panel("left", 12, "What is left out, and why", null);
  if (!D.left_out.length) made.append(el("p", {}, "Nothing: all of the above was computed in full."));
  made.append(el("dl", { class: "facts-list" }, D.left_out.flatMap(([what, why]) => [el("dt", {}, what), el("dd", {}, why)])));
}

top();
effort();
trust();
strip();
if (!D.broken) {
  /* begin with the head whose removal changes most */
  let best = -1;
  for (let l = 0; l < L; l++) for (let h = 0; h < H; h++) { const m = meanOf("ablate_head_kl", l, h); if (m > best) { best = m;
    state.head = [l, h]; } }
  [answers, norms, heads, chosenHead, circuits, lens, attribution, ablation, patching, pairs, neurons, comparison].forEach((draw) => draw());
}
left();
document.getElementById("foot").append(el("p", {},
  `Made by minillm ${D.version} inspect. This file loads nothing and sends nothing. Attention in steps of 1/255 of its root; other numbers in float16 or float32.`));
document.documentElement.setAttribute("data-ready", "yes");
})();
