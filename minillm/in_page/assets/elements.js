/* What widgets are made of. Every text is set as text, never as markup. */

function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children.flat());
  return made;
}

const percent = (p) => p >= 0.995 ? "100%" : p >= 0.0995 ? Math.round(100 * p) + "%" : p >= 0.0005 ? (100 * p).toFixed(1) + "%" : p > 0 ? "<0.1%" : "0%";

/* [the input, a box with its name, its value and what it does]; `change` is called when it moves. */
function slider(name, label, value, [least, most], change, explain, step = 0.05, say = (x) => x.toFixed(2)) {
  const id = "set-" + name, read = el("output", { for: id }, say(value));
  const input = el("input", { id, type: "range", min: least, max: most, step, value,
    input: () => { read.textContent = say(Number(input.value)); change(); } });
  return [input, el("div", { class: "slider" }, el("label", { for: id }, label + " ", read), input, el("p", {}, explain))];
}

function coins(seed) {                         // numbers in [0, 1), the same for the same seed (mulberry32)
  let state = seed * 2654435761 >>> 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let x = Math.imul(state ^ state >>> 15, 1 | state);
    x = x + Math.imul(x ^ x >>> 7, 61 | x) ^ x;
    return ((x ^ x >>> 14) >>> 0) / 4294967296;
  };
}

const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/u;

function text_of(tokenizer) {                  // id -> its text; what cannot be seen as an escape
  return (id) => {
    const bytes = Uint8Array.from(tokenizer.bytes(id));
    let text;
    try { text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); }
    catch { return Array.from(bytes, (byte) => "\\x" + byte.toString(16).toUpperCase().padStart(2, "0")).join(""); }
    if (!bytes.length) return "[" + id + "]";
    return Array.from(text, (c) => c === "\n" ? "↵\n" : !HIDDEN.test(c) ? c
      : "\\u{" + c.codePointAt(0).toString(16).toUpperCase() + "}").join("");
  };
}

/* A line of tokens with a cursor: [the element, draw(ids, at, looks)]. `move(t)` is called with the token that one
   chooses; `looks`: how much of the underline each token gets, from 0 to 1. */
function token_line(name, shown, move) {
  let count = 0, at = 0;
  const line = el("div", { class: "tokens", id: name, role: "listbox", tabindex: 0, "aria-label": "The tokens of the text. Arrow keys move.",
    keydown: (event) => {
      const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -count, End: count }[event.key];
      if (step) { event.preventDefault(); move(Math.min(count - 1, Math.max(0, at + step))); }
    } });
  function draw(ids, now, looks = []) {
    [count, at] = [ids.length, now];
    line.replaceChildren(...ids.map((id, t) => {
      const span = el("span", { role: "option", id: `${name}-${t}`, class: "token" + (t === at ? " now" : ""), "aria-selected": String(t === at),
        click: () => { line.focus(); move(t); } }, shown(id));
      span.style.setProperty("--look", looks[t] ? Math.sqrt(looks[t]).toFixed(3) : 0);
      return span;
    }));
    line.setAttribute("aria-activedescendant", `${name}-${at}`);
  }
  return [line, draw];
}

function later(milliseconds, work) {           // once it has been quiet for so long
  let waiting;
  return () => { clearTimeout(waiting); waiting = setTimeout(work, milliseconds); };
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
