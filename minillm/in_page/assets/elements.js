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
function slider(name, label, value, [least, most], change, explain) {
  const id = "set-" + name, read = el("output", { for: id }, value.toFixed(2));
  const input = el("input", { id, type: "range", min: least, max: most, step: 0.05, value,
    input: () => { read.textContent = Number(input.value).toFixed(2); change(); } });
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
