/* From the page's JSON, made by minillm/in_page/embedding.py, to a model that llama.js can run. */

function numbers(entry) {                      // an array from base64
  const text = atob(entry.data), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  if (entry.kind === "int4") return unpack(bytes, ...entry.shape);
  if (entry.kind === "float16") return Float32Array.from(new Uint16Array(bytes.buffer), half);
  return new ({ float32: Float32Array, int8: Int8Array }[entry.kind])(bytes.buffer);
}

function unpack(packed, O, I) {                // two integers of -8 ... 7 in a byte, the first in its low 4 bits
  const integers_OI = new Int8Array(O * I), width = Math.ceil(I / 2);
  for (let o = 0, j = 0; o < O; o++)
    for (let i = 0; i < I; i++) integers_OI[j++] = (packed[o * width + (i >> 1)] >> 4 * (i & 1) & 15 ^ 8) - 8;
  return integers_OI;
}

function half(bits) {                          // the number that 16 bits stand for, a scale: positive and finite
  const exponent = bits >> 10, fraction = bits & 1023;
  return exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction;
}

function matrix(entry) {                       // a scale for each row is left to `linear`; of more scales floats are made
  const [O, I] = entry.shape, numbers_OI = numbers(entry), scales_OG = entry.scales ? numbers(entry.scales) : null;
  if (!scales_OG || scales_OG.length === O) return { numbers_OI, scales_O: scales_OG, O, I };
  const floats_OI = Float32Array.from(numbers_OI), G = scales_OG.length / O;
  for (let o = 0, j = 0; o < O; o++)
    for (let i = 0; i < I; i++) floats_OI[j++] *= scales_OG[o * G + (i >> 5)];
  return { numbers_OI: floats_OI, scales_O: null, O, I };
}

function load(data) {                          // {config, params, tokenizer, begin, ...}
  const leaf = (entry) => entry.shape.length === 1 ? numbers(entry) : matrix(entry);
  const tree = (node) => Array.isArray(node) ? node.map(tree) : node.data !== undefined ? leaf(node)
    : Object.fromEntries(Object.entries(node).map(([name, child]) => [name, tree(child)]));
  return { ...data, params: tree(data.params), tokenizer: data.tokenizer && Tokenizer(data.tokenizer) };
}
