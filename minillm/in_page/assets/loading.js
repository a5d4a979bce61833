/* From the page's JSON, made by minillm/in_page/embedding.py, to a model that llama.js can run. */

function numbers(entry) {
  const text = atob(entry.data), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ({ float32: Float32Array, int8: Int8Array }[entry.kind])(bytes.buffer);
}

function load(data) {                          // {config, params, tokenizer, begin, ...}
  const leaf = (entry) => entry.shape.length === 1 ? numbers(entry)
    : { numbers_OI: numbers(entry), scales_O: entry.scales ? numbers(entry.scales) : null,
        O: entry.shape[0], I: entry.shape[1] };
  const tree = (node) => Array.isArray(node) ? node.map(tree) : node.data !== undefined ? leaf(node)
    : Object.fromEntries(Object.entries(node).map(([name, child]) => [name, tree(child)]));
  return { ...data, params: tree(data.params), tokenizer: data.tokenizer && Tokenizer(data.tokenizer) };
}
