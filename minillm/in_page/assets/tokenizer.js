/* Text becomes tokens and tokens text, as in minillm/text/tokenizer.py: byte-level BPE, SentencePiece's
   BPE with byte fallback, and single characters. `made` is the tokenizer in a page: see embedding.py. */

function Tokenizer(made) {
  const ids = new Map(made.tokens.map((token, i) => [token, i]).filter(([token]) => token !== null));
  const rank = new Map();                      // "left right" -> the place of the merge in the list
  for (let i = 0; i < made.merges.length; i += 2)
    rank.set(made.tokens[made.merges[i]] + " " + made.tokens[made.merges[i + 1]], i);
  const cuts = made.cuts.map((cut) => new RegExp(cut, "gu"));
  const visible = new Map(Array.from(made.visible, (character, byte) => [character, byte]));
  const utf8 = new TextEncoder();

  function apply_merges(tokens) {              // the pair of lowest rank, the leftmost first, again and again
    for (;;) {
      let best = Infinity, at = -1;
      for (let i = 0; i + 1 < tokens.length; i++) {
        const found = rank.get(tokens[i] + " " + tokens[i + 1]);
        if (found < best) { best = found; at = i; }
      }
      if (at < 0) return tokens;
      tokens.splice(at, 2, tokens[at] + tokens[at + 1]);
    }
  }

  function* pretokens(text, step = 0) {        // what a cut matches, and what is left between
    if (step === cuts.length) { yield text; return; }
    let end = 0;
    for (const found of text.matchAll(cuts[step])) {
      if (found.index > end) yield* pretokens(text.slice(end, found.index), step + 1);
      if (found[0]) yield* pretokens(found[0], step + 1);
      end = found.index + found[0].length;
    }
    if (end < text.length) yield* pretokens(text.slice(end), step + 1);
  }

  const kinds = {
    bytes(text) {
      const tokens = [];
      for (const pretoken of pretokens(made.form ? text.normalize(made.form) : text)) {
        const word = Array.from(utf8.encode(pretoken), (byte) => made.visible[byte]).filter((b) => ids.has(b));
        if (made.whole_words && ids.has(word.join(""))) tokens.push(word.join(""));
        else tokens.push(...apply_merges(word));
      }
      return tokens;
    },
    sentencepiece(text) {
      const spaced = (made.prefix && text ? "▁" : "") + text.replaceAll(" ", "▁");
      const known = Array.from(spaced, (character) => ids.has(character) ? [character]
        : Array.from(utf8.encode(character), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`));
      return apply_merges(known.flat());
    },
    characters: (text) => Array.from(text),
  };

  function encode(text) {                      // the ids; what no token can express is an error, in words
    return kinds[made.kind](text.toWellFormed ? text.toWellFormed() : text).map((token) => {
      if (!ids.has(token)) throw new Error(`The model has no token for “${token}”: leave it out.`);
      return ids.get(token);
    });
  }

  function bytes(id) {                         // the bytes of one token
    const token = made.tokens[id], byte = /^<0x([0-9A-F]{2})>$/.exec(token || "");
    if (!token) return [];
    if (made.kind === "bytes" && Array.from(token).every((c) => visible.has(c)))
      return Array.from(token, (character) => visible.get(character));
    if (made.kind === "sentencepiece" && byte) return [parseInt(byte[1], 16)];
    return Array.from(utf8.encode(made.kind === "sentencepiece" ? token.replaceAll("▁", " ") : token));
  }

  function decode(tokens) {
    const all = Uint8Array.from(tokens.flatMap(bytes));
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(all);
    return made.prefix && text.startsWith(" ") ? text.slice(1) : text;
  }

  return { encode, decode, bytes };
}
