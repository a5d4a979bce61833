/* Byte-pair encoding step by step, as lesson 01 does it on paper: Merging(host). Count the pairs of
   neighbours, merge the most frequent one (of equals, the one with the smaller numbers), again and again. */

function Merging(host) {
  const text = el("input", { id: "merging-text", type: "text", maxlength: 60, spellcheck: "false", input: () => restart() });
  text.value = "aaabdaaabac";
  const list = el("p", { class: "pieces", role: "status" }), pairs = el("ol", { class: "next" }), learned = el("ol", { class: "lens-rows" });
  const button = (words, click, kind) => el("button", { type: "button", class: kind || null, click }, words);
  const step = button("Merge the first pair", () => { merge(); draw(); }, "first"), back = button("Back", () => { undo(); draw(); });
  const all = button("Merge until no pair comes twice", () => { while (merge()); draw(); });
  host.append(el("section", { "aria-label": "Byte-pair encoding, step by step" },
    el("label", { for: "merging-text" }, "Any text "), text, list, el("div", { class: "buttons" }, step, back, all),
    el("h3", {}, "Pairs of neighbours, the most frequent first"), pairs, el("h3", {}, "Merges learned, in order"), learned));

  let tokens, bytes, merges, before;           // ids; the bytes of each id; [left, right] by rank; earlier tokens
  function restart() {
    bytes = Array.from({ length: 256 }, (_, byte) => [byte]);
    tokens = Array.from(new TextEncoder().encode(text.value));
    merges = []; before = [];
    draw();
  }
  function counted() {                         // [left, right, count], in the order in which they are merged
    const counts = new Map();
    for (let i = 0; i + 1 < tokens.length; i++) {
      const pair = tokens[i] + " " + tokens[i + 1];
      counts.set(pair, (counts.get(pair) || 0) + 1);
    }
    return Array.from(counts, ([pair, count]) => [...pair.split(" ").map(Number), count])
      .sort((a, b) => b[2] - a[2] || a[0] - b[0] || a[1] - b[1]);
  }
  function merge() {                           // from left to right, each token once; false where no pair comes twice
    const [best] = counted();
    if (!best || best[2] < 2) return false;
    const [left, right] = best, fresh = bytes.length, after = [];
    for (let i = 0; i < tokens.length; i++)
      if (tokens[i] === left && tokens[i + 1] === right) { after.push(fresh); i++; } else after.push(tokens[i]);
    before.push(tokens);
    bytes.push(bytes[left].concat(bytes[right]));
    merges.push([left, right]);
    tokens = after;
    return true;
  }
  function undo() { if (before.length) { tokens = before.pop(); bytes.pop(); merges.pop(); } }
  function shown(id) {
    try { return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes[id])).replaceAll(" ", "␣"); }
    catch { return bytes[id].map((byte) => "\\x" + byte.toString(16).toUpperCase()).join(""); }
  }
  function draw() {
    list.replaceChildren(...tokens.map((id) => el("span", { class: "piece", title: "token " + id }, shown(id))),
      el("span", { class: "unseen" }, ` ${tokens.length} tokens`));
    const found = counted();
    pairs.replaceChildren(...found.slice(0, 6).map(([left, right, count], i) =>
      el("li", {}, `${shown(left)} + ${shown(right)}: ${count}` + (i === 0 && count > 1 ? ", next" : ""))));
    learned.replaceChildren(...merges.map(([left, right], rank) => el("li", {}, `${shown(left)} + ${shown(right)} is token ${256 + rank}`)));
    step.disabled = all.disabled = !found.length || found[0][2] < 2;
    back.disabled = !before.length;
  }
  restart();
}
